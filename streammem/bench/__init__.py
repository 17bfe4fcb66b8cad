"""What `streammem bench` runs: seeded streams, protocols, statistics, tables and plots.

Importing it loads neither torch nor av nor matplotlib; each is imported where it is first needed.
"""

from streammem.bench.events import BenchEvent
from streammem.bench.request import BenchRequest
from streammem.bench.run import BenchRun, run_memory_bench

__all__ = ["BenchEvent", "BenchRequest", "BenchRun", "run_memory_bench"]
