"""For commands that know early that they will run a batch: its workers begin while it is prepared.

Everything that a batch needs besides is in `streammem.api`, which takes longer to import.
"""

from streammem.runtime.batch.early import begin_workers

__all__ = ["begin_workers"]
