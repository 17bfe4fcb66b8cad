"""Questions about real clips joined end to end, answered by the built-in answerer and judged.

    python benchmarks/real_questions.py --shared ../shared          # everything
    python benchmarks/real_questions.py --shared ../shared --encoders embedded-v1 --streams revisit

The questions are those of tests/golden/real_questions.json, written from the clips' annotations
in the words in which somebody would ask; none was changed after it was first answered. Every
stream is joined (`joined_clips.py`), ingested by the command with its defaults and asked about.
The encoder decides most of it, because whoever knows no squirrels finds none. So the questions are
asked a third time of memories that also hold the annotations as a description track (`described`,
without reading text in pictures): what is wrong there is not for want of sight.

A right answer:
- `when`, `said`, `read`: the best piece of evidence has its best instant within an annotated span
  (a second more on either side) and the channel and words that are asked for;
- `exists`: the value; `count`: the very number; `duration`: within a quarter;
- `order`: a time as `when`, a value, or the events named in their order; `choose`: the option;
- `absence`: an abstention, a "no" or 0 times.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
import joined_clips

QUESTIONS = harness.REPOSITORY / "tests" / "golden" / "real_questions.json"
DESCRIBED = "described"
ENCODERS = ("descriptor", "embedded-v1", DESCRIBED)
SUBTITLES = {"chrome_hammock.mp4": "chrome_hammock.descriptions.vtt"}
TOLERANCE_S = 1.0
DURATION_SHARE = 0.25

Question = Mapping[str, Any]
Answer = Mapping[str, Any]


def read_questions(path: Path = QUESTIONS) -> list[dict[str, Any]]:
    """All questions of the golden file."""
    questions: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["questions"]
    return questions


def expected_spans(question: Question, stream: Mapping[str, Any]) -> list[tuple[float, float]]:
    """The annotated spans in seconds of the stream; a clip that comes twice has two of each."""
    spans = []
    for file, start_s, end_s in question["spans"]:
        places = [clip["stream_start_s"] for clip in stream["clips"] if clip["file"] == file]
        if "occurrence" in question:
            places = places[question["occurrence"] - 1 : question["occurrence"]]
        spans += [(place + start_s, place + end_s) for place in places]
    return spans


def judge(question: Question, stream: Mapping[str, Any], answer: Answer) -> str | None:
    """What is wrong with the document of `ask --json`; None where nothing is."""
    if question.get("absent"):
        found = not answer["abstained"] and answer["value"] not in (False, 0)
        return "found something that is not there" if found else None
    if answer["abstained"]:
        return "abstained"
    if "choice" in question:
        wrong = answer["choice"] != question["choice"]
        return f"chose {answer['choice']!r}" if wrong else None
    if "order" in question:
        return _wrong_order(question, answer)
    if "value" in question:
        return _wrong_value(question, answer)
    return _wrong_place(question, stream, answer)


def _wrong_value(question: Question, answer: Answer) -> str | None:
    wanted, found = question["value"], answer["value"]
    if isinstance(wanted, bool) or question["kind"] == "count":
        right = found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
    else:
        right = found is not None and abs(found - wanted) <= DURATION_SHARE * wanted
    return None if right else f"said {found}, not {wanted}"


def _wrong_order(question: Question, answer: Answer) -> str | None:
    """The answer's sentence has to name the events one after the other."""
    text = answer["answer"].lower()
    places = [text.find(name) for name in question["order"]]
    if -1 in places:
        return "an event is missing"
    return None if places == sorted(places) else "another order"


def _wrong_place(question: Question, stream: Mapping[str, Any], answer: Answer) -> str | None:
    if not answer["evidence"]:
        return "no evidence"
    best = answer["evidence"][0]
    if best["channel"] != question.get("channel", best["channel"]):
        return f"found in {best['channel']}"
    if question.get("says", "") not in (best["text"] or "").lower():
        return "other words"
    spans = expected_spans(question, stream)
    inside = any(low - TOLERANCE_S <= best["time_s"] <= high + TOLERANCE_S for low, high in spans)
    return None if inside else f"at {best['time_s']:.1f} s"


def clip_at(stream: Mapping[str, Any], time_s: float) -> str:
    """Which clip a time of the stream lies in."""
    for clip in stream["clips"]:
        if clip["stream_start_s"] <= time_s < clip["stream_end_s"]:
            return str(clip["file"])
    return "none"


def cause(question: Question, stream: Mapping[str, Any], answer: Answer) -> str:
    """Why an answer is wrong, from what the answer itself tells."""
    reason = answer["answer"]
    if "this encoder knows" in reason:
        return "the encoder does not know the words"
    if answer["abstained"]:
        if question["kind"] in {"said", "read"}:
            return "the words were not read or heard where they are"
        return "known words, but nothing reaches the confidence"
    told = bool(answer["evidence"]) and answer["evidence"][0]["channel"] != "vision"
    if told and question["kind"] in {"count", "duration", "order"}:
        return "lines of words are counted and timed, not what they tell of"
    if told:
        return "other words fit the question better"
    if not answer["evidence"]:
        return "the encoder does not see what is there"
    shown = clip_at(stream, answer["evidence"][0]["time_s"])
    wanted = {file for file, _, _ in question.get("spans", ())}
    if shown in wanted:
        return "the right clip at another time"
    return f"the encoder takes {shown} for it"


def ask_all(
    questions: Sequence[Question], streams: Mapping[str, Mapping[str, Any]], library: Path
) -> list[dict[str, Any]]:
    """Every question asked of the memory of its stream, with what was wrong and what it gave."""
    from streammem.api import AskOptions, Library
    from streammem_cli import documents

    asked = Library(library)
    rows = []
    for question in questions:
        stream = streams[question["stream"]]
        options = AskOptions(
            memories=(question["stream"],), choices=tuple(question.get("choices", ()))
        )
        answer = documents.answer_document("ask", asked.ask(question["question"], options))
        places = answer["evidence"] or answer["candidates"]
        wrong = judge(question, stream, answer)
        rows.append(
            {
                "stream": question["stream"],
                "kind": question["kind"],
                "question": question["question"],
                "wrong": wrong,
                "cause": None if wrong is None else cause(question, stream, answer),
                "answer": answer["answer"],
                "confidence": answer["confidence"],
                "shows": [clip_at(stream, item["time_s"]) for item in places[:3]],
            }
        )
    return rows


def accuracy(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Questions and right answers of each kind, and of all."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        for kind in (row["kind"], "all"):
            kinds[kind].append(row["wrong"] is None)
    return {
        kind: {
            "questions": len(right),
            "right": sum(right),
            "share": round(sum(right) / len(right), 4),
        }
        for kind, right in sorted(kinds.items())
    }


def prepare(
    stream: Mapping[str, Any], clips: Path, folder: Path, rate_hz: float = 4.0
) -> dict[str, Path | None]:
    """The joined video of a stream with its subtitles and its description track."""
    name = stream["name"]
    video = folder / f"{name}.mp4"
    # Beside the video they would be found and read by every run.
    words = folder / "words"
    words.mkdir(parents=True, exist_ok=True)
    if not video.exists():
        joined_clips.join(stream, clips, video, rate_hz=rate_hz)
    given = {file: clips / "subtitles" / track for file, track in SUBTITLES.items()}
    own = {clip["file"] for clip in stream["clips"]} & given.keys()
    subtitles = words / f"{name}.given.vtt" if own else None
    if subtitles is not None:
        joined_clips.write_subtitles(joined_clips.moved_subtitles(stream, given), subtitles)
    described = words / f"{name}.described.vtt"
    joined_clips.write_subtitles(
        joined_clips.moved_annotations(stream, clips / "annotations"), described
    )
    return {"video": video, "subtitles": subtitles, DESCRIBED: described}


def remember(
    files: Mapping[str, Path | None], library: Path, encoder: str, *extra: str
) -> dict[str, Any]:
    """Ingest a stream with the defaults of the command.

    Raises:
        RuntimeError: it failed.
    """
    described = encoder == DESCRIBED
    told = files[DESCRIBED] if described else files["subtitles"]
    more = ("--subtitles", str(told)) if told else ()
    sight = ("--encoder", "embedded-v1", "--no-ocr") if described else ("--encoder", encoder)
    done, _ = harness.run_streammem(
        "ingest", str(files["video"]), "--library", str(library), "--json", *sight, *more, *extra,
        timeout_s=3600.0,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"ingest exited with {done.returncode}: {done.stderr[-1000:]}")
    result: dict[str, Any] = harness.document(done)["results"][0]
    return result


def main() -> int:
    """Join, ingest, ask, judge; print the shares and the failures; write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, default=harness.REPOSITORY.parent / "shared")
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS))
    parser.add_argument("--streams", nargs="+", default=["revisit", "mix_once"])
    parser.add_argument("--work", type=Path, help="a folder that keeps the joined videos")
    options = harness.arguments(parser, "real_questions.json")
    clips = options.shared / "data" / "real"
    streams = {name: joined_clips.read_stream(clips / "streams.json", name)
               for name in options.streams}  # fmt: skip
    questions = [item for item in read_questions() if item["stream"] in streams]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for encoder in options.encoders:
            library = folder / encoder
            for stream in streams.values():
                remember(prepare(stream, clips, folder), library, encoder)
            rows = ask_all(questions, streams, library)
            results[encoder] = {"accuracy": accuracy(rows), "rows": rows}
    for encoder, result in results.items():
        print(f"\n{encoder}\n")
        print(harness.table([{"kind": k, **v} for k, v in result["accuracy"].items()]))
        for row in result["rows"]:
            if row["wrong"]:
                print(f"  {row['kind']}: {row['question']} -> {row['wrong']}: {row['answer']}")
    harness.write_result(options.out, {"encoders": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
