"""Writes the expected answers about the sample clips: `python tests/golden/regenerate.py`.

Read the difference before committing it: a changed line is a changed answer. `right` is the
verdict of `samples/check_answer.py` against the truth, so wrong answers are visible as such.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from samples.check_answer import faults  # noqa: E402
from streammem.api import AskOptions, Library, request_from_config  # noqa: E402
from streammem.core.config import load_config  # noqa: E402

GOLDEN = Path(__file__).resolve().parent / "answers.json"
CLIPS = ("scenes", "vfr_delayed")
GRID_S = 0.5


def answers(folder: Path, clip: str) -> list[dict[str, Any]]:
    """What a fresh memory of one sample clip answers to every question of its truth.

    Raises:
        RuntimeError: the clip could not be ingested.
    """
    samples = REPOSITORY / "samples"
    truth = json.loads((samples / f"{clip}.truth.json").read_text(encoding="utf-8"))
    config = load_config(environ={}, project_folder=folder).config
    request = request_from_config(config, encoder="embedded", device="cpu")
    library = Library(folder / clip)
    result = library.ingest([str(samples / truth["video"])], request)[0]
    if result.status != "done":
        raise RuntimeError(f"{clip}: {result.status}, {result.error}")
    return [_row(library, expected) for expected in truth["questions"]]


def _row(library: Library, expected: dict[str, Any]) -> dict[str, Any]:
    options = AskOptions(choices=tuple(expected["choices"]))
    answer = library.ask(expected["question"], options)
    evidence = [item.to_json() for item in answer.evidence]
    seen = {
        "abstained": answer.abstained, "value": answer.value, "choice": answer.choice,
        "evidence": evidence,
    }  # fmt: skip
    best = evidence[0] if evidence else None
    return {
        "question": expected["question"],
        "intent": answer.intent,
        "abstained": answer.abstained,
        "value": _rounded(answer.value),
        "choice": answer.choice,
        "best_span_s": [_on_grid(best["start_s"]), _on_grid(best["end_s"])] if best else None,
        "right": answer.intent == expected["intent"] and not faults(seen, expected),
    }


def _rounded(value: float | bool | None) -> float | bool | None:
    return value if value is None or isinstance(value, bool) else _on_grid(value)


def _on_grid(seconds: float) -> float:
    return round(seconds / GRID_S) * GRID_S


def main() -> None:
    """Answer every question anew, write the file, print the verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        golden = {clip: answers(Path(folder), clip) for clip in CLIPS}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    for clip, rows in golden.items():
        for row in rows:
            if not row["right"]:
                sys.stdout.write(f"wrong  {clip}: {row}\n")
        sys.stdout.write(f"{clip}: {sum(row['right'] for row in rows)} of {len(rows)} right\n")


if __name__ == "__main__":
    main()
