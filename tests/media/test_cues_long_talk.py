"""Ten hours of talk in a small memory: within its bytes, the whole time and rare words kept."""

import itertools
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.api import Library, request_from_config
from streammem.core.budget import CUE_SHARE, KIB, SMALL_PAGE_BYTES, SYSTEM_PAGES
from streammem.core.config import load_config
from streammem.storage.verify import verify_memory

CUES = 9000
RARE = [f"zyx{number}q" for number in range(30)]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},000"


def _write_talk(path: Path) -> None:
    drawn = random.Random(5)
    words = [f"word{number}" for number in range(1500)]
    weights = [1 / (rank + 2) for rank in range(len(words))]
    places = dict(zip(drawn.sample(range(10, 890), len(RARE)), RARE, strict=True))
    with path.open("w", encoding="utf-8") as file:
        for number in range(CUES):
            said = drawn.choices(words, weights, k=10)
            if number in places:
                said[3] = places[number]
            begins, ends = _clock(4 * number), _clock(4 * number + 4)
            file.write(f"{number + 1}\n{begins} --> {ends}\n{' '.join(said)}\n\n")


def test_ten_hours_of_talk_in_256_kib_of_cues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays within its budget; what was said once in hour one is still found."""
    # Codes of meanings take minutes for nine thousand lines; their bytes are tested elsewhere.
    monkeypatch.setattr("streammem.runtime.ingestion.text_encoder_folder", lambda: None)
    subtitles = tmp_path / "talk.srt"
    _write_talk(subtitles)
    budget = int(256 * KIB / CUE_SHARE) + SYSTEM_PAGES * SMALL_PAGE_BYTES
    config = load_config(environ={}, project_folder=tmp_path).config
    request = replace(
        request_from_config(config, encoder="descriptor", device="cpu", fps=0.02, name="talk"),
        budget_bytes=budget, subtitles=str(subtitles), audio=False, screen_text=False,
    )  # fmt: skip
    library = Library(tmp_path / "lib")
    (result,) = library.ingest(["synthetic:5?duration=36000&fps=0.1&size=32x32"], request)

    path = Path(str(result.memory_path))
    assert path.stat().st_size <= budget
    assert verify_memory(path).problems == ()
    with closing(sqlite3.connect(path)) as connection:
        starts = [row[0] for row in connection.execute("SELECT start_s FROM cue ORDER BY id")]
    assert 500 < len(starts) == result.cues["subtitle"] < CUES // 4
    assert max(b - a for a, b in itertools.pairwise(starts)) < 36000 / len(starts) * 6
    found = []
    for word in RARE:
        answer = library.ask(f"when is {word} mentioned?")
        found.append(any(word in (item.text or "") for item in answer.evidence))
    assert all(found), [word for word, there in zip(RARE, found, strict=True) if not there]
