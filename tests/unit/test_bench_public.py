"""Public benchmarks: their real question formats, about a clip whose answers are known."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from streammem.bench import PublicRequest, run_public_bench
from streammem.bench.asking.formats import PublicQuestion, read_questions
from streammem.bench.asking.public import chosen_place, find_videos
from streammem.bench.asking.standing import Asking, is_right, standing
from streammem.core.config import load_config
from streammem.core.errors import Interrupted, UsageError
from streammem.core.types import Answer

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "scenes.mp4"
ROOMS = ["A. red room", "B. yellow screen", "C. checkerboard", "D. purple curtain"]

# One right question about the clip and one about a video that is not there, as published.
NATIVE: dict[str, tuple[str, str, Any]] = {
    "streamingbench": (
        "questions_real.json",
        "sample_1_real.mp4",
        [
            {
                "video_categories": "life",
                "time": "[0:00:00 - 0:01:00]",
                "video_path": f"./videos/{name}.mp4",
                "questions": [
                    {
                        "task_type": "Counting",
                        "question": "How many times is the red room seen?",
                        "time_stamp": "00:00:40",
                        "answer": "B",
                        "options": ["A. 1", "B. 2", "C. 3", "D. 4"],
                        "required_ability": "episodic memory",
                    }
                ],
            }
            for name in ("sample_1_real", "sample_2_real")
        ],
    ),
    "ovo-bench": (
        "ovo_bench_new.json",
        "217.mp4",
        [
            {
                "id": number,
                "task": "EPM",
                "video": f"AutoEvalMetaData/{video}.mp4",
                "realtime": 50.0,
                "question": "Which is shown first?",
                "options": ["red room", "yellow screen", "checkerboard", "purple curtain"],
                "gt": 0,
            }
            for number, video in enumerate(("217", "218"))
        ]
        + [
            {
                "id": 9,
                "task": "SSR",
                "video": "AutoEvalMetaData/217.mp4",
                "test_info": [
                    {"realtime": 20.0, "type": 0, "step": "cut the bread"},
                    {"realtime": 40.0, "type": 0, "step": "cut the bread"},
                ],
            }
        ],
    ),
    "video-mme": (
        "video_mme.json",
        "fFjv93ACGo8.mp4",
        [
            {
                "video_id": f"00{number}",
                "videoID": video,
                "duration": "short",
                "domain": "Knowledge",
                "sub_category": "Humanity",
                "question_id": f"00{number}-1",
                "task_type": "Object Recognition",
                "question": "Which is shown first?",
                "options": ROOMS,
                "answer": "A",
            }
            for number, video in enumerate(("fFjv93ACGo8", "gone"), 1)
        ],
    ),
    "mlvu": (
        "3_ego.json",
        "ego_1.mp4",
        [
            {
                "video": video,
                "duration": 54.0,
                "question": "Which is shown first?",
                "candidates": ["yellow screen", "red room", "checkerboard", "purple curtain"],
                "answer": "red room",
                "question_type": "order",
            }
            for video in ("ego_1.mp4", "ego_2.mp4")
        ],
    ),
    "lvbench": (
        "video_info.meta.jsonl",
        "Cm73ma6Ibcs.mp4",
        [
            {
                "key": video,
                "type": "cartoon",
                "qa": [
                    {
                        "uid": video,
                        "question": "Which is shown first?\n(A) yellow screen\n(B) red room\n"
                        "(C) checkerboard\n(D) purple curtain",
                        "answer": "B",
                        "question_type": ["entity recognition"],
                        "time_reference": "00:00-00:04",
                    }
                ],
            }
            for video in ("Cm73ma6Ibcs", "gone")
        ],
    ),
    "egoschema": (
        "questions.json",
        "5d15c716.mp4",
        [
            {
                "q_uid": video,
                "google_drive_id": "x",
                "question": "Which is shown first?",
                "option 0": "yellow screen",
                "option 1": "checkerboard",
                "option 2": "purple curtain",
                "option 3": "red room",
                "option 4": "white screen",
            }
            for video in ("5d15c716", "gone")
        ],
    ),
}


def _write(folder: Path, name: str) -> tuple[Path, Path]:
    """The question file of a format, and a folder that holds one of its videos."""
    file_name, video, entries = NATIVE[name]
    questions = folder / file_name
    text = json.dumps(entries)
    if questions.suffix == ".jsonl":
        text = "\n".join(json.dumps(entry) for entry in entries)
    questions.write_text(text, encoding="utf-8")
    if name == "egoschema":
        answers = {entry["q_uid"]: 3 for entry in entries}
        (folder / "subset_answers.json").write_text(json.dumps(answers), encoding="utf-8")
    videos = folder / "videos"
    videos.mkdir()
    shutil.copy(SAMPLE, videos / video)
    return questions, videos


def _request(tmp_path: Path, name: str, **fields: Any) -> PublicRequest:
    questions, videos = _write(tmp_path, name)
    flags = {"ingest.encoder": "descriptor", "ingest.audio": False, "ingest.screen_text": False}
    config = load_config(environ={}, flags=flags, project_folder=tmp_path)
    return PublicRequest(name, questions, videos, config, **{"out": tmp_path / "out", **fields})


def _never() -> bool:
    return False


@pytest.mark.parametrize("name", NATIVE)
def test_questions_in_the_published_format_are_asked_and_scored(name: str, tmp_path: Path) -> None:
    """The clip's question is right by the benchmark's rule; the other video is named."""
    request = _request(tmp_path, name)
    run = run_public_bench(request, on_event=lambda event: None, should_stop=_never)
    (result,) = run.document["results"]

    assert (result["score"], result["right"]) == (1.0, result["scored"])
    assert result["scored"] == (3 if name == "ovo-bench" else 1)
    assert result["videos"] == {"wanted": 2, "asked": 1}
    assert len(result["missing_videos"]) == 1
    assert result["missing_videos"][0] in run.text
    assert (tmp_path / "out" / "results.json").exists()


def test_a_stopped_run_goes_on_without_asking_twice(tmp_path: Path) -> None:
    """Three questions, stopped after one: the second run asks the other two and no video anew."""
    request = _request(tmp_path, "ovo-bench")
    asked: list[int] = []

    def stop() -> bool:
        return bool(asked)

    def hear(event: Any) -> None:
        if event.kind == "progress":
            asked.append(event.done)

    with pytest.raises(Interrupted):
        run_public_bench(request, on_event=hear, should_stop=stop)
    memory = next((tmp_path / "out" / "library").glob("*.smem"))
    made_at = memory.stat().st_mtime_ns
    kinds: list[tuple[str, int]] = []
    run = run_public_bench(
        request, on_event=lambda e: kinds.append((e.kind, e.done)), should_stop=_never
    )

    assert asked == [1]
    assert kinds[0] == ("resumed", 1)
    assert run.document["results"][0]["scored"] == 3
    assert memory.stat().st_mtime_ns == made_at


def test_answers_of_other_settings_do_not_mix(tmp_path: Path) -> None:
    request = _request(tmp_path, "mlvu")
    run_public_bench(request, on_event=lambda event: None, should_stop=_never)
    request.questions.write_text(request.questions.read_text() + " ", encoding="utf-8")

    with pytest.raises(UsageError, match="other questions"):
        run_public_bench(request, on_event=lambda event: None, should_stop=_never)


def test_a_video_that_cannot_be_read_is_named_and_not_scored(tmp_path: Path) -> None:
    request = _request(tmp_path, "mlvu")
    (request.videos / "ego_2.mp4").write_bytes(b"no video")
    run = run_public_bench(request, on_event=lambda event: None, should_stop=_never)
    (result,) = run.document["results"]

    assert list(result["unreadable_videos"]) == ["ego_2.mp4"]
    assert (result["scored"], result["missing_videos"]) == (1, [])
    assert len(run.failures) == 1


def test_records_one_a_line_are_read_in_every_format(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    record = {
        "source": "MLVU", "category": "order", "question": "Which is first?",
        "options": ["a cat", "a dog"], "answer": "a dog", "asked_at_s": 7.0, "video_id": "x/y",
    }  # fmt: skip
    path.write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n", encoding="utf-8")
    first, second = read_questions("mlvu", path)

    assert (first.kind, first.right, first.at_s, first.video) == ("choice", 1, 7.0, "x/y")
    assert second.id == f"{first.id} #2"


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '[{"video": "x"}]', "[]"])
def test_what_is_no_question_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError):
        read_questions("mlvu", path)


def test_videos_are_found_by_path_and_by_an_unshared_name(tmp_path: Path) -> None:
    for name in ("a/clip.mkv", "b/clip.mkv", "b/other.v2.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    wanted = ["./a/clip.mp4", "clip", "somewhere/other.v2.mp4", "other.v2"]
    found = find_videos(tmp_path, wanted)

    assert found["./a/clip.mp4"] == tmp_path / "a" / "clip.mkv"
    assert "clip" not in found
    assert found["somewhere/other.v2.mp4"] == found["other.v2"] == tmp_path / "b" / "other.v2.mp4"


def _question(kind: str, right: int, **fields: Any) -> PublicQuestion:
    return PublicQuestion(f"{kind}{right}{fields}", "v", "c", "t", kind, right=right, **fields)


@pytest.mark.parametrize(
    ("kind", "right", "asking", "verdict"),
    [
        ("choice", 1, Asking(1, None, abstained=False), True),
        ("choice", 1, Asking(None, None, abstained=True), False),
        ("count", 3, Asking(None, 3.0, abstained=False), True),
        ("count", 3, Asking(None, None, abstained=True), False),
        ("yes_no", 0, Asking(None, None, abstained=True), True),
        ("yes_no", 1, Asking(None, False, abstained=False), False),
        ("answerable", 0, Asking(None, None, abstained=True), True),
        ("answerable", 1, Asking(None, None, abstained=True), False),
    ],
)
def test_each_kind_has_its_rule(kind: str, right: int, asking: Asking, verdict: bool) -> None:
    assert is_right(_question(kind, right), asking) is verdict


def test_the_modes_of_ovo_bench_weigh_the_same() -> None:
    """Two tasks of one mode at 1 and 0, one task of another at 1: the score is 0.75."""
    asked = [
        PublicQuestion(str(n), "v", category, "t", "choice", ("a",), 0, group=group)
        for n, (category, group) in enumerate(
            [("OCR", "real-time"), ("ACR", "real-time"), ("EPM", "backward"), ("EPM", "backward")]
        )
    ]
    answers = {
        str(n): Asking(0 if right else None, None, abstained=not right)
        for n, right in enumerate([True, False, True, True])
    }

    assert standing("ovo-bench", asked, answers, {})["score"] == 0.75
    assert standing("mlvu", asked, answers, {})["score"] == pytest.approx(2 / 3)


def _answer(text: str, answerer: str, choice: str | None) -> Answer:
    return Answer("q", "choose", text, False, 0.5, (), (), choice, None, "e", answerer, {})


def test_a_language_model_chooses_by_the_option_that_it_names() -> None:
    options = ("A. a red cat", "B. a dog")

    def choose(text: str, who: str, choice: str | None) -> int | None:
        return chosen_place(_answer(text, who, choice), options)

    assert choose("It is a dog [e1].", "openai:x", "A. a red cat") == 1
    assert choose("A dog or a red cat.", "openai:x", "A. a red cat") == 0
    assert choose("It is a dog.", "evidence", "A. a red cat") == 0
    assert choose("Neither.", "openai:x", None) is None
