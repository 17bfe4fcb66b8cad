"""The main file never outgrows its budget, whatever commits follow each other."""

import random
import string
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streammem.core.budget import BudgetPlan, plan_budget
from streammem.core.types import (
    Channel,
    Cue,
    EncoderSpec,
    Gap,
    ReaderMark,
    RuntimeChoice,
    StreamInfo,
    TrackInfo,
)
from streammem.storage.chunks import MAX_SECTIONS
from streammem.storage.cue_cost import CueCost
from streammem.storage.cue_rows import storable
from streammem.storage.gaps import gap_limit
from streammem.storage.memory_file import MemoryWriter, read_memory, thumbnail_charge
from streammem.storage.pages import longest_thumbnail, row_charge
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.storage.verify import verify_memory
from streammem.text.rows import CueRow

SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, (2, 2))
KIB = 1024


def _meta(budget_bytes: int) -> MemoryMeta:
    return MemoryMeta(
        "m", "f" * 64, "clip.mp4", "/videos/clip.mp4", 2.0, None, None, "streammem", budget_bytes,
        ("vision",), SPEC, None, RuntimeChoice(), {}, 1.0, None, "0",
    )  # fmt: skip


def _longest_meta(budget_bytes: int) -> MemoryMeta:
    """Settings with the longest names that are stored."""
    return replace(
        _meta(budget_bytes),
        source="ä" * 9000,
        source_path="/" + "x" * 1000,
        weights_hint="/" + "y" * 1000,
    )


def _longest_progress(budget_bytes: int) -> Progress:
    """Progress with as many gaps, reasons and tracks as are stored."""

    def gaps(word: str) -> tuple[Gap, ...]:
        return tuple(
            Gap(i * 1.234567890123 + 0.1, i * 1.234567890123 + 0.77, f"{word} {i} " + "é" * 300)
            for i in range(gap_limit(budget_bytes))
        )

    track = TrackInfo(0, "audio", "aac", 12.3456789, "ü" * 100, "ü" * 100)
    info = StreamInfo("x" * 3000, 1920, 1080, 29.97, 1234.5, 0.033, 0, "h264", (track,) * 40)
    mark = ReaderMark(0.1, 1, 1.1, 1.1, 1.1, 5, "a" * 64, gaps("mark"))
    return Progress(info=info, gaps=gaps("progress"), mark=mark)


class _Writer:
    """Random commits that use what the shares allow, down to the last byte."""

    def __init__(self, plan: BudgetPlan, seed: int) -> None:
        self.plan = plan
        self.random = random.Random(seed)
        self.sections: dict[str, bytes] = {}
        self.lengths: dict[int, int] = {}
        self.cues: dict[int, CueRow] = {}
        self.cost = CueCost(plan.page_bytes)
        self.next_id = 1
        self.clock = 0
        self.progress = Progress()

    def next(self) -> Commit:
        self._change_sections()
        dropped, added = self._change_thumbnails()
        cues_dropped, cues = self._change_cues()
        listening = self.random.randbytes(self.random.choice((0, 40, self.listening_bytes)))
        return Commit(
            dict(self.sections), self.progress, added, dropped, cues=cues,
            cues_dropped=cues_dropped, cue_next_id=self.next_id, listening=listening,
            word_tally=self.random.randbytes(self.random.choice((0, 40, self.tally_bytes))),
        )  # fmt: skip

    @property
    def listening_bytes(self) -> int:
        return min(8 * KIB, self.plan.cue_bytes // 8)

    def _change_sections(self) -> None:
        r = self.random
        for _ in range(r.randint(0, 4)):
            name = f"part-{r.randrange(MAX_SECTIONS)}"
            others = sum(len(v) for k, v in self.sections.items() if k != name)
            room = self.plan.store_bytes - others
            length = room if r.random() < 0.3 else r.randrange(room + 1)
            if r.random() < 0.1:
                self.sections.pop(name, None)
            elif name in self.sections and r.random() < 0.5:
                section = bytearray(self.sections[name][:length])
                for _ in range(r.randint(1, 5)):
                    if section:
                        section[r.randrange(len(section))] = r.randrange(256)
                self.sections[name] = bytes(section)
            else:
                self.sections[name] = r.randbytes(length)

    def _change_thumbnails(self) -> tuple[frozenset[int], dict[int, bytes]]:
        r, page = self.random, self.plan.page_bytes
        gone = [key for key in self.lengths if r.random() < r.choice((0.0, 0.1, 0.9))]
        for key in gone:
            del self.lengths[key]
        used = sum(thumbnail_charge(n, page) for n in self.lengths.values())
        added: dict[int, bytes] = {}
        for _ in range(r.choice((2, 20, 2000))):
            length = r.choice(
                (r.randrange(1, 9 * page), longest_thumbnail(2, page), page // 2, page // 2 + 99)
            )
            used += thumbnail_charge(length, page)
            if used > self.plan.thumbnail_bytes:
                break
            key = r.randrange(0, 10**13)
            added[key] = r.randbytes(length)
            self.lengths[key] = length
        return frozenset(gone), added

    @property
    def tally_bytes(self) -> int:
        return min(32 * KIB, self.plan.cue_bytes // 16)

    def _change_cues(self) -> tuple[frozenset[int], tuple[CueRow, ...]]:
        r, page = self.random, self.plan.page_bytes
        share = r.choice((0.0, 0.0, 0.2, 0.9))
        gone = frozenset(number for number in self.cues if r.random() < share)
        for number in gone:
            del self.cues[number]
        self.cost.remove(gone)
        room = self.plan.cue_bytes - row_charge(self.listening_bytes, page)
        room -= row_charge(self.tally_bytes, page)
        word = r.choice(
            (
                lambda: "".join(r.choices(string.ascii_lowercase, k=r.randint(1, 12))),
                lambda: r.choice(string.ascii_lowercase),
                lambda: chr(0x4E00 + r.randrange(20000)),
                lambda: "".join(r.choices(string.ascii_lowercase, k=r.randint(1, 900))),
            )
        )
        added = []
        for _ in range(r.choice((0, 3, 60, 600))):
            text = " ".join(word() for _ in range(r.choice((1, 8, 8, 60))))
            times = tuple((self.clock + n / 9, self.clock + n / 8) for n in range(r.choice((0, 9))))
            cue = Cue(
                self.clock * 1.1, self.clock * 1.1 + 1, text, Channel.SCREEN_TEXT,
                r.random(), r.choice((None, "en")), times,
            )  # fmt: skip
            row = storable(CueRow(self.next_id, cue, r.randbytes(r.choice((0, 48)))))
            self.cost.add(row)
            if self.cost.bytes > room:
                self.cost.remove([row.id])
                break
            self.next_id += r.choice((1, 1, 5))
            self.clock += 1
            self.cues[row.id] = row
            added.append(row)
        return gone, tuple(added)


@pytest.mark.parametrize(
    ("budget_bytes", "commits", "longest"),
    [(256 * KIB, 40, True), (1024 * KIB, 25, True), (32 * 1024 * KIB, 5, True)],
)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_random_commits_stay_within_the_budget(
    tmp_path_factory: pytest.TempPathFactory,
    budget_bytes: int,
    commits: int,
    longest: bool,
    seed: int,
) -> None:
    """Shares used to the last byte and replaced at will never fill the file beyond its budget."""
    path = tmp_path_factory.mktemp("budget") / "m.smem"
    plan = plan_budget(budget_bytes)
    source = _Writer(plan, seed)
    source.progress = _longest_progress(budget_bytes) if longest else Progress()
    meta = _longest_meta(budget_bytes) if longest else _meta(budget_bytes)

    with MemoryWriter.create(path, meta, plan) as writer:
        for _ in range(commits):
            writer.commit(source.next())
            assert writer.file_bytes <= budget_bytes
            assert writer.cue_rows() == tuple(source.cues.values())
            assert path.stat().st_size <= budget_bytes
            if budget_bytes <= 1024 * KIB:  # where one commit is never larger than the bound
                assert writer.wal_bytes <= plan.wal_bytes

    stored = read_memory(path)
    assert path.stat().st_size == stored.file_bytes <= budget_bytes
    assert stored.sections == source.sections
    assert dict(zip(stored.thumbnail_keys, stored.thumbnail_lengths, strict=True)) == source.lengths
    assert verify_memory(path).problems == ()


@given(
    length=st.integers(0, 200_000), page_bytes=st.sampled_from((1024, 4096)), more=st.integers(1, 9)
)
def test_charges_grow_with_what_they_charge_for(length: int, page_bytes: int, more: int) -> None:
    """A charge covers its bytes, never falls as they grow, and full pages are not charged twice."""
    assert thumbnail_charge(length, page_bytes) >= length
    assert thumbnail_charge(length + more, page_bytes) >= thumbnail_charge(length, page_bytes)
    full = longest_thumbnail(more, page_bytes)
    assert thumbnail_charge(full, page_bytes) // page_bytes == more
    assert thumbnail_charge(full + 1, page_bytes) // page_bytes == more + 1
