import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streammem.core.types import EncoderSpec, Gap, RuntimeChoice
from streammem.storage.event_keys import EventKeyIndex, EventKeys, quantised
from streammem.storage.records import MemoryMeta

SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, None)
META = MemoryMeta(
    "m", "f" * 64, "m.mp4", None, 2.0, None, None, "streammem", 1 << 20,
    ("vision",), SPEC, None, RuntimeChoice(), {}, 1.0, None, "0.1.0",
)  # fmt: skip


def _keys(name: str, words: tuple[str, ...] = (), seed: int = 0) -> EventKeys:
    rows = np.random.default_rng(seed).standard_normal((5, 8)).astype(np.float32)
    codes, scales = quantised(rows)
    return EventKeys(
        replace(META, memory_id=name), 0.0, 9.0, 0.5, (Gap(1.0, 2.0, "broken"),), 0.01, False,
        np.arange(3.0), np.arange(3.0) + 1, np.array([0, 2, 4], np.int32), codes, scales,
        np.zeros(5, np.float32), np.zeros(0, np.float32), {"subtitle": 3}, words,
        np.arange(12, dtype=np.uint8).reshape(2, 6),
    )  # fmt: skip


def test_an_entry_comes_back_and_words_are_found(tmp_path: Path) -> None:
    """Arrays, facts and words; of words also beginnings and parts."""
    index, keys = EventKeyIndex(tmp_path), _keys("a", ("apfel", "kernel"))
    assert (index.stamps(), index.load(["a"]), index.holders("apfel")) == ({}, {}, set())
    assert index.save([((1, 2), keys), ((3, 4), _keys("b", ("kern",), seed=1))])
    assert index.stamps() == {"a": (1, 2), "b": (3, 4)}
    found = index.load(["a"])["a"]
    for name in ("codes", "scales", "first_row", "span_start_s", "span_end_s", "meanings"):
        np.testing.assert_array_equal(getattr(found, name), getattr(keys, name))
    assert (found.meta, found.gaps, found.excess) == (keys.meta, keys.gaps, 0.01)
    assert index.holders("kern") == {"b"}
    assert index.holders("kern", prefix=True) == {"a", "b"}
    assert index.containing("ern") == {"a", "b"}


def test_rows_keep_their_directions_in_eight_bits() -> None:
    """The product with a unit query is off by less than 0.01 of a unit row; zero stays zero."""
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((500, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[7] = 0
    codes, scales = quantised(rows)
    query = rows[0]
    assert np.abs((codes * scales[:, None]) @ query - rows @ query).max() < 0.01
    assert not codes[7].any()


def test_what_is_removed_is_in_no_byte_of_the_file(tmp_path: Path) -> None:
    index, keys = EventKeyIndex(tmp_path), _keys("a", ("unheardofword",))
    index.save([((1,), keys), ((1,), _keys("b", ("other",), seed=1))])
    assert b"unheardofword" in index.file.read_bytes()
    assert keys.codes.tobytes() in index.file.read_bytes()
    index.remove(["a"])
    assert list(index.stamps()) == ["b"]
    assert b"unheardofword" not in index.file.read_bytes()
    assert keys.codes.tobytes() not in index.file.read_bytes()


@pytest.mark.parametrize("damage", ["garbage", "cut", "form", "body"])
def test_a_damaged_index_is_done_without(tmp_path: Path, damage: str) -> None:
    """Nothing wrong comes out of it, and it can be written again."""
    index = EventKeyIndex(tmp_path)
    index.save([((1,), _keys("a"))])
    if damage == "garbage":
        index.file.write_bytes(b"no database" * 999)
    elif damage == "cut":
        index.file.write_bytes(index.file.read_bytes()[:5000])
    else:
        connection = sqlite3.connect(index.file, isolation_level=None)
        statement = {"form": "PRAGMA user_version=99", "body": "UPDATE entry SET body=x'00'"}
        connection.execute(statement[damage])
        connection.close()
    assert index.load(["a"]) == {}
    assert index.save([((2,), _keys("a"))])
    assert index.stamps() == {"a": (2,)}
    assert list(index.load(["a"])) == ["a"]


def _write_some(folder: str, first: int) -> None:
    index = EventKeyIndex(Path(folder))
    for number in range(first, first + 12):
        assert index.save([((number,), _keys(f"m{number}", (f"word{number}",), seed=number))])


def test_parallel_writers_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_some, args=(str(tmp_path), 12 * place)) for place in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    index = EventKeyIndex(tmp_path)
    assert set(index.stamps()) == {f"m{number}" for number in range(36)}
    assert all(index.holders(f"word{number}") == {f"m{number}"} for number in range(36))
    assert len(index.load(index.stamps())) == 36
