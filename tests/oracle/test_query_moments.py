"""Vectorised joining, ranking and selection of evidence equal plain loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.types import Tier
from streammem.query.calibrate import Scale
from streammem.query.mmr import NEAR_S, STRENGTH_WEIGHT, choose_diverse
from streammem.query.moments import JOIN_INTERVALS, find_moments, rank_spans
from streammem.query.ranges import Window
from tests.unit._query_world import Cell, memory_of

SCALE = Scale(3.0, 0.7)
EVERYTHING = Window(0.0, 1e9)


@st.composite
def memories(draw):
    """Cells with up to three visits each on a grid of half seconds, and a strength per cell."""
    count = draw(st.integers(1, 12))
    cells = []
    for _ in range(count):
        starts = draw(st.lists(st.integers(0, 120), min_size=1, max_size=3, unique=True))
        spans = [(start / 2, start / 2 + draw(st.integers(1, 12)) / 2) for start in sorted(starts)]
        tier = draw(st.sampled_from([Tier.WORKING, Tier.LONG_TERM, Tier.SENSORY]))
        cells.append(Cell("red", spans, tier=tier, exemplar_s=spans[0][0] + 0.25))
    strengths = np.array(draw(st.lists(st.integers(-20, 80), min_size=count, max_size=count))) / 8.0
    return memory_of(cells), strengths


def naive_join(memory, strengths, threshold: float) -> list[tuple[float, float, float]]:
    """(start, end, best strength) of visits, one span after the other."""
    rows = memory.span_rows
    spans = sorted(
        (float(s), float(e), float(strengths[row]))
        for s, e, row in zip(
            memory.snapshot.span_start_s, memory.snapshot.span_end_s, rows, strict=True
        )
        if strengths[row] >= threshold
    )
    joined: list[tuple[float, float, float]] = []
    for start, end, strength in spans:
        if joined and start <= joined[-1][1] + JOIN_INTERVALS * memory.interval_s:
            last = joined[-1]
            joined[-1] = (last[0], max(last[1], end), max(last[2], strength))
        else:
            joined.append((start, end, strength))
    return joined


@settings(max_examples=150, deadline=None)
@given(memories())
def test_find_moments_equals_a_loop_over_spans(case) -> None:
    """Visits, their borders and their strengths are those of the plain loop at the same cut."""
    memory, strengths = case

    found = find_moments(memory, strengths[memory.span_rows], EVERYTHING, SCALE, min_confidence=0.5)

    threshold = min((m.strength for m in found), default=np.inf)
    kept = [row for row in range(len(strengths)) if strengths[row] >= 3.0]
    assert bool(found) == bool(kept)
    if found:
        # The cut lies somewhere under the weakest visit; the loop is run at each possible one.
        cuts = sorted({float(s) for s in strengths if s <= threshold})
        results = [(m.start_s, m.end_s, m.strength) for m in found]
        assert results in [naive_join(memory, strengths, cut) for cut in cuts]
        for moment in found:
            assert moment.start_s <= moment.time_s <= moment.end_s
            assert strengths[moment.row] == moment.strength


@settings(max_examples=100, deadline=None)
@given(memories())
def test_rank_spans_keeps_every_lasting_span(case) -> None:
    """Without a cut every span of a lasting cell is there once, at least as strong as its cell."""
    memory, strengths = case

    ranked = rank_spans(memory, strengths[memory.span_rows], EVERYTHING, SCALE)

    lasting = sorted(
        (float(s), float(e))
        for s, e, row in zip(
            memory.snapshot.span_start_s,
            memory.snapshot.span_end_s,
            memory.span_rows,
            strict=True,
        )
        if not memory.sensory[row]
    )
    found = sorted((m.start_s, m.end_s) for m in ranked if not memory.sensory[m.row])
    assert found == lasting
    assert all(moment.strength >= strengths[moment.row] for moment in ranked)
    assert [m.strength for m in ranked] == sorted((m.strength for m in ranked), reverse=True)


def naive_mmr(relevance, keys, places, count) -> list[int]:
    """Maximal marginal relevance by its definition, one comparison at a time."""
    low, high = min(relevance), max(relevance)
    worth = [(r - low) / (high - low) if high > low else 1.0 for r in relevance]
    chosen: list[int] = []
    while len(chosen) < min(count, len(relevance)):
        gains = {}
        for i in range(len(relevance)):
            if i in chosen:
                continue
            repeat = 0.0
            for j in chosen:
                if places[i][0] == places[j][0]:
                    near = np.exp(-abs(places[i][1] - places[j][1]) / NEAR_S)
                    repeat = max(repeat, near * max(0.0, float(keys[i] @ keys[j])))
            gains[i] = STRENGTH_WEIGHT * worth[i] - (1 - STRENGTH_WEIGHT) * repeat
        chosen.append(max(gains, key=lambda i: (round(gains[i], 12), -i)))
    return chosen


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 8))
def test_choose_diverse_equals_the_definition(seed: int, size: int, count: int) -> None:
    """The vectorised selection chooses what the definition chooses, in the same order."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(size=size)
    keys = rng.normal(size=(size, 6)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    places = [(f"m{rng.integers(2)}", float(rng.uniform(0, 90))) for _ in range(size)]

    chosen = choose_diverse(relevance, list(keys), places, count)

    assert chosen == naive_mmr(relevance.tolist(), keys, places, count)
    assert chosen[0] == int(np.argmax(relevance))
