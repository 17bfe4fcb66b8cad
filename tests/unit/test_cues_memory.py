"""The text memory: its budget, repeats, what it evicts, and that it goes on exactly."""

import itertools
import random

import pytest

from streammem.core.types import Channel, Cue
from streammem.storage.cue_cost import CueCost
from streammem.text.memory import CueMemory
from streammem.text.rows import CueRow, pack_details, settled, unpack_row
from streammem.text.tally import WordTally

PAGE = 1024


def said(start_s: float, text: str, channel: Channel = Channel.SPEECH, long_s: float = 2.0) -> Cue:
    return Cue(start_s, start_s + long_s, text, channel)


def talk(count: int, seed: int = 0) -> list[Cue]:
    """Cues of ten words out of 400, some words far more frequent than others."""
    drawn = random.Random(seed)
    words = [f"word{number}" for number in range(400)]
    weights = [1 / (rank + 1) for rank in range(400)]
    return [
        said(4.0 * place, " ".join(drawn.choices(words, weights, k=10))) for place in range(count)
    ]


def texts(memory: CueMemory) -> list[str]:
    return [row.cue.text for row in memory.rows]


def test_the_charges_never_exceed_the_room_and_the_room_is_used() -> None:
    """After every single cue, and with more than seven eighths of the room in the end."""
    memory = CueMemory(40_000, CueCost(PAGE))
    for cue in talk(600):
        memory.write([cue])
        anew = CueCost(PAGE).changed(memory.rows, ())
        assert memory.charged_bytes == anew.bytes <= 40_000
    assert memory.charged_bytes > 40_000 * 7 // 8


def test_a_run_that_is_stopped_and_opened_again_ends_with_the_same_rows() -> None:
    """Wherever it is stopped, and however the cues come in batches."""
    cues = talk(500)
    whole = CueMemory(30_000, CueCost(PAGE))
    whole.write(cues)
    for cut in (1, 77, 250, 499):
        first = CueMemory(30_000, CueCost(PAGE))
        for cue in cues[:cut]:
            first.write([cue])
        second = CueMemory(
            30_000, CueCost(PAGE), first.rows, next_id=first.next_id,
            tally=WordTally(4096, first.tally.to_bytes()),
        )  # fmt: skip
        second.write(cues[cut:])
        assert second.rows == whole.rows
        assert second.next_id == whole.next_id


def test_changes_turn_the_rows_of_one_commit_into_those_of_the_next() -> None:
    """What is added and dropped between two commits is exactly the difference."""
    memory = CueMemory(20_000, CueCost(PAGE))
    stored: dict[int, CueRow] = {}
    cues = talk(400)
    for start in range(0, 400, 37):
        memory.write(cues[start : start + 37])
        changes = memory.take_changes()
        assert changes.dropped <= stored.keys()
        stored = {n: row for n, row in stored.items() if n not in changes.dropped}
        stored |= {row.id: row for row in changes.added}
        assert tuple(stored.values()) == memory.rows
    assert memory.take_changes().added == ()


def test_rare_words_outlive_common_ones_and_all_of_the_time_stays_covered() -> None:
    """Of thirty words said once in the first tenth nearly all stay to the end; no hole is long."""
    cues = talk(3000)
    rare = [f"rare{number}" for number in range(30)]
    for number, word in enumerate(rare):
        old = cues[10 * number]
        cues[10 * number] = said(old.start_s, f"{old.text} {word}")
    memory = CueMemory(80_000, CueCost(PAGE))
    memory.write(cues)
    kept = " ".join(texts(memory)).split()
    assert len(memory.rows) < 500
    # In the first minutes every word is new, so a few of the rare ones go with the others.
    assert len(set(rare) & set(kept)) >= 26
    starts = [row.cue.start_s for row in memory.rows]
    mean_s = (cues[-1].start_s - cues[0].start_s) / len(starts)
    assert (starts[0], starts[-1]) == (cues[0].start_s, cues[-1].start_s)
    assert max(b - a for a, b in itertools.pairwise(starts)) < 4 * mean_s


def test_repeats_at_the_same_time_are_one_cue() -> None:
    """The same words of one channel, or of subtitle and speech; case and accents do not matter."""
    memory = CueMemory(40_000, CueCost(PAGE))
    memory.write(
        [
            said(1.0, "Café au lait", Channel.SUBTITLE),
            said(1.4, "cafe AU lait!", Channel.SPEECH),
            said(3.5, "Café au lait", Channel.SUBTITLE),
            said(3.5, "Café au lait", Channel.SCREEN_TEXT),
            said(60.0, "Café au lait", Channel.SUBTITLE),
            said(1.0, "", Channel.SPEECH),
            said(1.5, "", Channel.SPEECH),
        ]
    )
    assert [(row.cue.start_s, row.cue.channel) for row in memory.rows] == [
        (1.0, Channel.SUBTITLE),
        (3.5, Channel.SCREEN_TEXT),
        (60.0, Channel.SUBTITLE),
        (1.0, Channel.SPEECH),
        (1.5, Channel.SPEECH),
    ]


def test_a_long_cue_is_cut_between_words_and_nothing_is_lost() -> None:
    """Each piece has its words and its part of the time; a word without end is cut, too."""
    words = [f"w{number}" for number in range(900)]
    memory = CueMemory(200_000, CueCost(PAGE))
    endless = "".join(random.Random(1).choices("abcdefgh", k=5000))
    memory.write([said(10.0, " ".join(words), long_s=90.0), said(200.0, endless)])
    rows = memory.rows
    spoken = [row.cue for row in rows if row.cue.start_s < 150]
    assert " ".join(cue.text for cue in spoken).split() == words
    assert "".join(row.cue.text for row in rows[len(spoken) :]).replace(" ", "") == endless
    assert (spoken[0].start_s, spoken[-1].end_s) == (10.0, pytest.approx(100.0))
    for one, following in itertools.pairwise(spoken):
        assert one.end_s == pytest.approx(following.start_s)
    assert all(len(row.cue.text.encode()) <= 1024 for row in rows)


def test_white_space_and_control_characters_are_not_part_of_the_words() -> None:
    """Lines stay lines; right-to-left text comes back as it was."""
    memory = CueMemory(40_000, CueCost(PAGE))
    arabic = "...إلى... إلى الشمال يمكن أن نرى"
    memory.write([said(0.0, " a\tb \x00 c\n\n d "), said(5.0, arabic, Channel.SUBTITLE)])
    assert texts(memory) == ["a b c\nd", arabic]


def test_a_code_of_the_meaning_is_made_for_each_kept_text() -> None:
    """Repeats and silent stretches cost no embedding."""
    asked: list[str] = []

    def embed(text: str) -> bytes:
        asked.append(text)
        return text.encode()[:4]

    memory = CueMemory(40_000, CueCost(PAGE), embed=embed)
    memory.write([said(0.0, "hello you"), said(0.5, "hello you"), said(9.0, "")])
    assert asked == ["hello you"]
    assert [row.vector for row in memory.rows] == [b"hell", b""]


@pytest.mark.parametrize(
    ("cue", "size"),
    [
        (said(1.0, "plain"), 0),
        (Cue(1.0, 2.0, "a", Channel.SPEECH, 0.5), 4),
        (Cue(1.0, 2.0, "a", Channel.SPEECH, 1.0, "en"), 4),
        (Cue(1.0, 9.0, "a b", Channel.SPEECH, 1.0, None, ((1.0, 1.25), (1.5, 4.0))), 9),
        (Cue(1.0, 9.0, "a", Channel.SPEECH, 0.25, "english", ((0.5, 0.75),)), 6),
    ],
)
def test_details_are_packed_small_and_come_back_settled(cue: Cue, size: int) -> None:
    """Packing what came back changes nothing more."""
    once = settled(cue)
    row = CueRow(7, once, b"code")
    plain = Cue(cue.start_s, cue.end_s, cue.text, cue.channel)
    assert len(pack_details(CueRow(7, cue))) == size
    assert unpack_row(7, plain, pack_details(row)) == row
    assert settled(once) == once
    assert once.confidence == pytest.approx(cue.confidence, abs=1 / 255)
    assert len(once.word_times_s) == len(cue.word_times_s)


def test_details_that_are_cut_short_are_refused() -> None:
    """Never an index error from somewhere inside."""
    cue = Cue(1.0, 9.0, "a b", Channel.SPEECH, 0.5, "en", ((1.0, 1.25), (1.5, 4.0)))
    packed = pack_details(CueRow(1, cue))
    for length in range(1, len(packed)):
        with pytest.raises(ValueError, match="cut short"):
            unpack_row(1, said(1.0, "a b"), packed[:length])


def test_a_tally_is_never_too_low_and_seldom_too_high() -> None:
    """Counts stop at 255; its bytes go on where they stood."""
    drawn = random.Random(3)
    words = [f"w{number}" for number in range(2000)]
    weights = [1 / (rank + 1) for rank in range(2000)]
    said = drawn.choices(words, weights, k=20_000)
    tally = WordTally(8192)
    for word in said[:9000]:
        tally.add(word)
    tally = WordTally(8192, tally.to_bytes())
    for word in said[9000:]:
        tally.add(word)
    counts = {word: said.count(word) for word in words}
    assert all(tally.count(word) >= min(255, max(1, n)) for word, n in counts.items())
    assert sum(tally.count(word) > n + 2 for word, n in counts.items() if n) < 150
    assert tally.count("w0") == 255
    assert len(tally.to_bytes()) <= 8192
    assert len(WordTally(8192).to_bytes()) < 64
