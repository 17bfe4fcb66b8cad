"""Real features in the bench: what joined clips and timelines ask, from files made here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streammem.bench import BenchRequest, _text_features, run_memory_bench
from streammem.bench.protocols.real_features import (
    PLACES,
    asked_text,
    clip_cases,
    frame_times,
    join_clips,
    join_timelines,
    timeline_cases,
)
from streammem.bench.vectors import HASHED, encode_texts, hashed_words, load_texts
from streammem.core.errors import MissingError, SourceError
from streammem.memory import MemoryStore

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def timelines(tmp_path: Path) -> Path:
    """Two kitchens: 8 classes of actions, each twice in the first and once in the second."""
    folder = tmp_path / "timelines"
    folder.mkdir()
    nouns = ("cup", "pan", "knife", "skin:banana", "bread", "bin", "tap", "fork")
    for name, repeats in (("one", 2), ("two", 1)):
        actions: list[dict[str, Any]] = []
        for number, noun in enumerate(nouns * repeats):
            word = " ".join(reversed(noun.split(":")))
            start_s = 3.0 * number
            actions.append(
                {"start_s": start_s, "end_s": start_s + 2.5, "what": f"take the {word}",
                 "verb": "take", "noun": noun}
            )  # fmt: skip
        lines = "".join(json.dumps(action) + "\n" for action in actions)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


def _clips(tmp_path: Path) -> BenchRequest:
    """One sample of this repository twice, in a stream that the other one lends a needle."""
    twice, other = (str(REPOSITORY / "samples" / n) for n in ("scenes.mp4", "vfr_delayed.mkv"))
    listing = tmp_path / "streams.json"
    streams = [
        {"name": "twice", "duration_s": 20.0, "clips": [{"file": twice}, {"file": twice}]},
        {"name": "other", "duration_s": 10.0, "clips": [{"file": other}]},
    ]
    listing.write_text(json.dumps(streams))
    return BenchRequest(clips=listing, cache=tmp_path / "cache")


def test_a_timeline_becomes_a_stream_whose_questions_are_its_classes(
    timelines: Path, tmp_path: Path
) -> None:
    request = BenchRequest(timelines=timelines, cache=tmp_path / "cache")
    single, held = timeline_cases(request)[0], timeline_cases(request)[2]
    stream = join_timelines(dict(single.facts), 1000)
    longer = join_timelines(dict(held.facts), 1000)

    assert single.frames == len(stream.frames) == 24
    assert held.frames == len(longer.frames) == 24 * 5
    assert (np.diff(stream.pts_s) >= 0).all()
    assert (np.diff(longer.pts_s) >= 0).all()
    assert len(stream.questions) == 8
    assert all(len(question.spans) == 3 for question in stream.questions)


def test_orders_of_timelines_differ_by_seed(timelines: Path, tmp_path: Path) -> None:
    case = timeline_cases(BenchRequest(timelines=timelines, cache=tmp_path))[0]
    orders = {join_timelines(dict(case.facts), seed).pts_s.tobytes() for seed in range(8)}

    assert len(orders) == 2


def test_a_class_is_asked_in_words() -> None:
    assert asked_text({"verb": "put-into", "noun": "skin:banana"}) == "put into banana skin"
    assert frame_times({"start_s": 1.0, "end_s": 2.1}, held=True) == [(1.0, 1.5), (1.5, 2.0)]
    assert frame_times({"start_s": 1.0, "end_s": 1.1}, held=True) == [(1.0, 1.5)]


def test_hashed_words_know_shared_words_and_nothing_else() -> None:
    take, put, other = hashed_words(["take the cup", "put the cup", "open drawer"])

    assert np.linalg.norm(take) == pytest.approx(1.0)
    assert take @ put == pytest.approx(2 / 3, abs=1e-6)
    assert abs(take @ other) < 0.5


def test_without_the_text_extra_the_result_says_hashed_words(
    timelines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_text_features, "available", lambda: False)
    made_by, place = encode_texts(["take cup", "put cup"], tmp_path)
    cases = timeline_cases(BenchRequest(timelines=timelines, cache=tmp_path))

    assert made_by == HASHED
    assert set(load_texts(place)) == {"take cup", "put cup"}
    assert HASHED in cases[0].name
    assert cases[0].facts["features"] == HASHED


def test_vectors_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text_features, "available", lambda: False)
    _, place = encode_texts(["take cup"], tmp_path)
    written_ns = place.stat().st_mtime_ns
    _, again = encode_texts(["take cup"], tmp_path)

    assert again == place
    assert again.stat().st_mtime_ns == written_ns
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_joined_clips_ask_with_frames_that_were_not_written(tmp_path: Path) -> None:
    case = clip_cases(_clips(tmp_path))[0]
    stream = join_clips(dict(case.facts), 1000)
    written = {row.tobytes() for row in stream.frames}
    kinds = [question.kind for question in stream.questions]

    assert sorted(kinds) == ["event", "needle"]
    assert [len(q.spans) for q in stream.questions if q.kind == "event"] == [2]
    assert all(question.query.tobytes() not in written for question in stream.questions)
    assert stream.frames.shape[0] == stream.pts_s.size == stream.durations_s.size


def test_a_memory_with_room_finds_real_moments(timelines: Path, tmp_path: Path) -> None:
    request = BenchRequest(timelines=timelines, cache=tmp_path / "cache")
    stream = join_timelines(dict(timeline_cases(request)[0].facts), 1000)
    store = MemoryStore(stream.frames.shape[1], 1 << 20)
    store.write(stream.frames, stream.pts_s, durations_s=stream.durations_s)
    snapshot = store.snapshot()
    found = 0
    for question in stream.questions:
        hit = snapshot.search(question.query, 1)[0]
        middle_s = (hit.start_s + hit.end_s) / 2
        found += any(start_s <= middle_s < end_s for start_s, end_s in question.spans)

    assert found >= 0.7 * len(stream.questions)


def test_local_places_are_no_part_of_a_result(timelines: Path, tmp_path: Path) -> None:
    run = run_memory_bench(
        BenchRequest(
            protocols=("timelines",), policies=("streammem",), seeds=1, timelines=timelines,
            budgets_bytes=(1 << 20,), cache=tmp_path / "cache",
        )
    )  # fmt: skip
    case = run.document["results"][0]["cases"][0]

    assert run.failures == ()
    assert case["policies"][0]["status"] == "done"
    assert PLACES not in case["facts"]
    assert str(tmp_path) not in json.dumps(run.document["results"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="--clips FILE"):
        run_memory_bench(BenchRequest(protocols=("clips",)))
    with pytest.raises(SourceError, match=r"no \*\.jsonl"):
        timeline_cases(BenchRequest(timelines=tmp_path))
    listing = tmp_path / "streams.json"
    listing.write_text('[{"name": "a", "duration_s": 1, "clips": [{"file": "none.mp4"}]}]')
    with pytest.raises(SourceError, match=r"none\.mp4"):
        clip_cases(BenchRequest(clips=listing, cache=tmp_path))
