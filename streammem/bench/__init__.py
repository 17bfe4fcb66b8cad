"""What `streammem bench` runs: seeded streams, protocols, statistics, tables and plots.

Importing it loads neither torch nor av nor matplotlib; each is imported where it is first needed.
"""

from streammem.bench.asking.public import PublicRequest, run_public_bench
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.asking.run import run_question_bench
from streammem.bench.events import BenchEvent
from streammem.bench.measuring import BenchRun
from streammem.bench.request import BenchRequest
from streammem.bench.run import run_memory_bench

__all__ = [
    "BenchEvent",
    "BenchRequest",
    "BenchRun",
    "PublicRequest",
    "QuestionsRequest",
    "run_memory_bench",
    "run_public_bench",
    "run_question_bench",
]
