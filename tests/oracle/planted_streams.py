"""The planted streams of the bench, and how many of them a search finds again."""

from streammem.bench.planted import STEP_S, TABLE, PlantedStream, StreamKind, plant
from streammem.memory import MemorySnapshot

__all__ = ["STEP_S", "TABLE", "PlantedStream", "StreamKind", "plant", "recall_at_1"]


def recall_at_1(snapshot: MemorySnapshot, stream: PlantedStream) -> tuple[float, float]:
    """Share of needles and of events whose best hit is right.

    An event is found when the middle of the hit lies in one of its visits; a needle when the
    hit's both ends are within five frames of the needle's.
    """
    needles = 0
    for query, (start_s, end_s) in stream.needles:
        hit = snapshot.search(query, 1)[0]
        limit_s = 5 * STEP_S
        needles += abs(hit.start_s - start_s) <= limit_s and abs(hit.end_s - end_s) <= limit_s
    events = 0
    for query, spans in stream.events:
        hit = snapshot.search(query, 1)[0]
        middle_s = (hit.start_s + hit.end_s) / 2
        events += any(start_s <= middle_s < end_s for start_s, end_s in spans)
    return needles / len(stream.needles), events / len(stream.events)
