"""The operators over spans equal their definitions, written out on half seconds."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.query import intervals
from streammem.query.moments import Moment
from tests.unit._query_world import Cell, memory_of

MEMORY = memory_of([Cell("red", [(0, 100)])])
# Everything lies on this grid, so that a set of slots says the same as a list of spans.
SLOT_S = 0.5


def moment(start: int, length: int) -> Moment:
    """A moment of `length` slots."""
    start_s = start * SLOT_S
    end_s = start_s + length * SLOT_S
    return Moment(MEMORY, start_s, end_s, 0.5 * (start_s + end_s), 1.0, 0.9, 0)


def slots(items) -> set[int]:
    """Every half second that some spans cover."""
    return {
        slot
        for item in items
        for slot in range(round(item.start_s / SLOT_S), round(item.end_s / SLOT_S))
    }


spans = st.lists(st.builds(moment, st.integers(0, 60), st.integers(1, 12)), max_size=8)
# As a search gives them: apart from each other, in order.
visits = spans.map(
    lambda items: [moment(min(run), len(run)) for run in _runs_of_slots(slots(items))]
)


def _runs_of_slots(covered: set[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for slot in sorted(covered):
        if found and found[-1][-1] == slot - 1:
            found[-1].append(slot)
        else:
            found.append([slot])
    return found


@given(spans)
def test_total_counts_every_slot_once(items) -> None:
    """Overlaps count once."""
    assert intervals.total_s(items) == len(slots(items)) * SLOT_S


@given(spans, st.integers(0, 60), st.integers(0, 60))
def test_restricted_keeps_exactly_the_slots_inside(items, first: int, second: int) -> None:
    """What is left are the slots of the window, whole spans unchanged, instants inside."""
    low, high = sorted((first, second))

    parts = intervals.restricted(items, low * SLOT_S, high * SLOT_S)

    assert slots(parts) == slots(items) & set(range(low, high))
    assert all(part.start_s <= part.time_s < part.end_s for part in parts)
    assert parts == intervals.in_order(parts)
    whole = [item for item in items if slots([item]) <= set(range(low, high))]
    assert all(item in parts for item in whole)


@given(visits, st.integers(1, 60))
def test_counts_and_lengths_of_parts_add_up(items, border: int) -> None:
    """Before and after a border together are the whole, but for the visit that is cut in two."""
    border_s = border * SLOT_S
    before = intervals.restricted(items, 0.0, border_s)
    after = intervals.restricted(items, border_s, 1000.0)

    cut = sum(item.start_s < border_s < item.end_s for item in items)
    assert len(before) + len(after) == len(items) + cut
    assert intervals.total_s(before) + intervals.total_s(after) == intervals.total_s(items)


@given(st.integers(0, 40), st.integers(1, 10), st.integers(0, 10))
def test_slivers_belong_to_what_lies_beyond(start: int, length: int, border: int) -> None:
    """A part shorter than the sliver is left out, unless it is half of its span."""
    item = moment(start, length)
    high_s = item.start_s + border * SLOT_S

    parts = intervals.restricted([item], 0.0, high_s, sliver_s=1.0)

    inside = min(border, length)
    assert bool(parts) == (inside > 0 and (inside >= 2 or 2 * inside >= length))


@given(visits, st.integers(-9, 9))
def test_nth_counts_from_both_ends(items, rank: int) -> None:
    """The n-th is the one that n - 1 others begin before; from the end likewise."""
    found = intervals.nth(items, rank)

    if rank == 0 or abs(rank) > len(items):
        assert found is None
    else:
        earlier = sum(item.start_s < found.start_s for item in items)
        assert earlier == (rank - 1 if rank > 0 else len(items) + rank)


@given(visits, visits)
def test_between_takes_the_first_and_the_next_of_the_other(starts, ends) -> None:
    """No visit of the second kind lies between the two that are taken."""
    pair = intervals.between(starts, ends)

    different = [item for item in ends if not starts or item != starts[0]]
    if not starts or not different:
        assert pair is None
        return
    first, second = pair
    assert first.start_s <= second.start_s
    if any(item.start_s >= starts[0].start_s for item in different):
        assert first == starts[0]
        assert not any(first.start_s <= item.start_s < second.start_s for item in different)
    else:
        assert second == starts[0]
        assert first == min(different, key=lambda item: item.start_s)


@given(visits)
def test_longest_and_shortest_are_extremes(items) -> None:
    """Nothing is longer or shorter, and of equals it is the earliest."""
    if not items:
        assert intervals.longest(items) is None
        assert intervals.shortest(items) is None
        return
    lengths = [item.end_s - item.start_s for item in items]
    assert intervals.longest(items) == items[lengths.index(max(lengths))]
    assert intervals.shortest(items) == items[lengths.index(min(lengths))]


@given(st.dictionaries(st.sampled_from("abcdef"), visits))
def test_kinds_are_ordered_by_when_each_is_first_seen(kinds) -> None:
    """Every kind that is seen, once, none before an earlier one."""
    found = intervals.first_seen(kinds)

    assert {name for name, _ in found} == {name for name, items in kinds.items() if items}
    assert all(span == kinds[name][0] for name, span in found)
    assert all(one[1].start_s <= two[1].start_s for one, two in pairwise(found))


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 4)))
def test_most_and_least_name_every_extreme(amounts) -> None:
    """Several names where amounts are equal; nothing is most where nothing is there."""
    biggest, smallest = max(amounts.values(), default=0), min(amounts.values(), default=0)

    most, least = intervals.most(amounts), intervals.least(amounts)

    assert set(most) == {name for name, amount in amounts.items() if amount == biggest > 0}
    assert set(least) == {name for name, amount in amounts.items() if amount == smallest}


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["red", "green", "blue"]), max_size=12))
def test_states_change_where_neighbours_differ(states: list[str]) -> None:
    """One span a state: runs, changes and the newest state are those of the plain list."""
    named = [(state, moment(3 * place, 2)) for place, state in enumerate(states)]

    stretches = intervals.runs(named)

    changed = [pair for pair in pairwise(states) if pair[0] != pair[1]]
    assert [run.state for run in stretches] == states[:1] + [new for _, new in changed]
    assert sum(len(run.spans) for run in stretches) == len(states)
    found = intervals.changes(stretches)
    assert [(old.state, new.state) for old, new in found] == changed
    assert all(old.end_s <= new.start_s for old, new in found)
    to_green = intervals.changes(stretches, old="red", new="green")
    assert len(to_green) == changed.count(("red", "green"))
    newest = intervals.newest(stretches)
    assert (newest.state if newest else None) == (states[-1] if states else None)


@given(visits, st.integers(0, 80), st.integers(1, 10))
def test_still_holds_where_a_recent_slot_is_covered(items, now: int, recent: int) -> None:
    """True exactly where one of the last slots before now is covered."""
    seen = [item for item in items if item.start_s < now * SLOT_S]

    found = intervals.still_holds(seen, now * SLOT_S, recent * SLOT_S)

    covered = slots(seen)
    assert found == any(slot in covered for slot in range(now - recent, now)) or any(
        item.end_s > now * SLOT_S for item in seen
    )
