"""What cues are charged is never less than the pages they take, and not much more."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.types import Channel, Cue
from streammem.storage.cue_cost import CueCost, LooseIndex
from streammem.storage.cue_rows import put_cues, storable
from streammem.storage.schema import migrate
from streammem.text.rows import CueRow

TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="abcdefgh ", max_size=400),
    st.lists(st.text(alphabet="אבגדהָּשׁéİßﷺ한국어ไทยภาษา१२", max_size=9), max_size=40).map(" ".join),
    st.lists(st.integers(0, 10**6).map(str), max_size=60).map(" ".join),
)
WRITES = st.lists(
    st.tuples(
        st.lists(TEXTS, max_size=12), st.sampled_from((0.0, 0.0, 0.1, 0.8)), st.integers(1, 900)
    ),
    min_size=1,
    max_size=12,
)


@contextmanager
def _file(page_bytes: int) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={page_bytes}")
        migrate(connection, 0)
        yield connection


def _pages(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(count) - int(free)


def _row(number: int, text: str, drawn: random.Random) -> CueRow:
    times = tuple((number + n / 9, number + n / 8) for n in range(drawn.choice((0, 0, 30))))
    cue = Cue(
        number * drawn.choice((1.0, 1.37)), number * 1.4 + 1, text, drawn.choice(list(Channel)),
        drawn.random(), drawn.choice((None, "en")), times,
    )  # fmt: skip
    return storable(CueRow(number, cue, drawn.randbytes(drawn.choice((0, 48)))))


@pytest.mark.parametrize("page_bytes", [1024, 4096])
@settings(max_examples=60, deadline=None)
@given(writes=WRITES, seed=st.integers(0, 1000), begin=st.sampled_from((1, 120, 17000, 2_100_000)))
def test_the_pages_of_cues_never_exceed_their_cost(
    page_bytes: int, writes: list[tuple[list[str], float, int]], seed: int, begin: int
) -> None:
    """In any script, with any gaps between the numbers, however they come and go."""
    drawn = random.Random(seed)
    cost, loose, number = CueCost(page_bytes), LooseIndex(), begin
    with _file(page_bytes) as connection:
        empty = _pages(connection)
        for given_texts, gone_share, step in writes:
            gone = frozenset(n for n in cost.sizes if drawn.random() < gone_share)
            rows = []
            for text in given_texts * drawn.choice((1, 9)):
                rows.append(_row(number, text[: drawn.choice((40, 400))], drawn))
                number += drawn.choice((1, step))
            cost = cost.changed(rows, gone)
            connection.execute("BEGIN")
            put_cues(connection, rows, gone, tidy=loose.is_due(cost, rows, gone))
            connection.execute("COMMIT")
            assert (_pages(connection) - empty) * page_bytes <= cost.bytes


@pytest.mark.parametrize(("page_bytes", "per_commit"), [(1024, 1), (1024, 40), (4096, 8)])
def test_talk_is_charged_at_most_a_third_more_than_it_takes(
    page_bytes: int, per_commit: int
) -> None:
    """A thousand lines of ten words, with codes of their meaning."""
    drawn = random.Random(3)
    words = [f"{drawn.choice('bdgklmnprst')}{drawn.choice('aeiou')}{n}" for n in range(2000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    cost, loose = CueCost(page_bytes), LooseIndex()
    with _file(page_bytes) as connection:
        empty = _pages(connection)
        for first in range(1, 1001, per_commit):
            rows = []
            for number in range(first, first + per_commit):
                text = " ".join(drawn.choices(words, weights, k=10))
                cue = Cue(3.7 * number, 3.7 * number + 3.1, text, Channel.SUBTITLE)
                rows.append(storable(CueRow(number, cue, drawn.randbytes(48))))
            cost = cost.changed(rows, ())
            connection.execute("BEGIN")
            put_cues(connection, rows, (), tidy=loose.is_due(cost, rows, ()))
            connection.execute("COMMIT")
        taken = (_pages(connection) - empty) * page_bytes
    assert taken <= cost.bytes <= taken * 4 / 3


def test_a_cost_that_was_changed_step_by_step_equals_one_of_the_same_cues() -> None:
    """So a run that was opened again decides what to evict as the undisturbed one does."""
    drawn = random.Random(5)
    cost = CueCost(1024)
    rows: dict[int, CueRow] = {}
    for number in range(1, 400):
        row = _row(number * 91, " ".join(drawn.choices("abcdefghijkl", k=9)), drawn)
        rows[row.id] = row
        cost.add(row)
        if number % 37 == 0:
            gone = drawn.sample(sorted(rows), 20)
            cost.remove(gone)
            rows = {n: row for n, row in rows.items() if n not in gone}
            anew = CueCost(1024).changed(rows.values(), ())
            assert anew.bytes == cost.bytes
            assert [anew.share(n) for n in rows] == [cost.share(n) for n in rows]


def test_the_index_keeps_few_pieces() -> None:
    """What many small commits append is written in one piece again before a search is slow."""
    cost, loose = CueCost(1024), LooseIndex()
    due = []
    for number in range(1, 2000):
        row = storable(CueRow(number, Cue(number, number + 1.0, "a b", Channel.SPEECH)))
        cost = cost.changed([row], ())
        due.append(loose.is_due(cost, [row], ()))
    assert not loose.is_due(cost, [], ())
    assert due[0]
    assert 0 < sum(due) < len(due) // 2
    assert all(any(due[at : at + 65]) for at in range(len(due) - 65))
