r"""Checks one `streammem ask --json` answer against the truth about a sample clip.

    streammem ask "when is the screen yellow?" --json | python samples/check_answer.py \
        samples/scenes.truth.json "when is the screen yellow?"

Prints the answer and its evidence; the exit status is 0 only where they are right.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

RIGHT, WRONG, UNUSABLE = 0, 1, 2
DURATION_TOLERANCE_S = 1.0


def find_question(truth: dict[str, Any], text: str) -> dict[str, Any]:
    """The truth's entry for a question, compared without case and surrounding blanks.

    Raises:
        ValueError: the truth has no such question.
    """
    for entry in truth["questions"]:
        if entry["question"].strip().lower() == text.strip().lower():
            return dict(entry)
    known = "; ".join(entry["question"] for entry in truth["questions"])
    raise ValueError(f"the truth about {truth['video']} has no question {text!r}; it has: {known}")


def faults(answer: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """What is wrong with an answer, in words; empty where it is right."""
    if "error" in answer:
        return [f"the command failed: {answer['error']['message']}"]
    if expected["abstain"]:
        return [] if answer["abstained"] else ["answered what the video does not show"]
    found = _wrong_result(answer, expected)
    if expected["expected_spans"]:
        found += _wrong_evidence(answer, expected["expected_spans"])
    return found


def _wrong_result(answer: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    found = []
    value, right = answer["value"], expected["value"]
    tolerance = DURATION_TOLERANCE_S if expected["intent"] == "duration" else 0.0
    if isinstance(right, bool):
        # Absence may be told by "no" or by abstaining; presence only by "yes".
        if value is not right and (right or not answer["abstained"]):
            found.append(f"value is {value}, right is {right}")
    elif right is not None and (value is None or abs(value - right) > tolerance):
        found.append(f"value is {value}, right is {right} (tolerance {tolerance})")
    if expected["choice"] is not None and answer["choice"] != expected["choice"]:
        found.append(f"choice is {answer['choice']!r}, right is {expected['choice']!r}")
    return found


def _wrong_evidence(answer: dict[str, Any], spans: list[list[float]]) -> list[str]:
    if not answer["evidence"]:
        return ["there is no evidence"]
    first = answer["evidence"][0]
    start_s, end_s = first["start_s"], first["end_s"]
    if any(max(start_s, span[0]) < min(end_s, span[1]) for span in spans):
        return []
    return [f"the first evidence {start_s:.3f}-{end_s:.3f} s is in none of {spans}"]


def describe(answer: dict[str, Any]) -> str:
    """The answer and its evidence, one line each."""
    lines = [f"question  {answer.get('question')}", f"answer    {answer.get('answer')}"]
    lines += [
        f"evidence  {item['memory_id']} {item['start_s']:.3f}-{item['end_s']:.3f} s"
        f"  score {item['score']:.2f}  {item['channel']}, {item['tier']}"
        for item in answer.get("evidence", [])
    ]
    return "\n".join(lines)


def main() -> int:
    """Read the answer from stdin and return the exit status."""
    parser = argparse.ArgumentParser(description="Check an answer about a sample clip.")
    parser.add_argument("truth", type=Path, help="samples/NAME.truth.json")
    parser.add_argument("question", help="the question as the truth file has it")
    arguments = parser.parse_args()
    try:
        truth = json.loads(arguments.truth.read_text(encoding="utf-8"))
        expected = find_question(truth, arguments.question)
        answer = json.load(sys.stdin)
    except (OSError, ValueError) as error:
        print(f"check_answer: {error}", file=sys.stderr)
        return UNUSABLE
    found = faults(answer, expected)
    print(describe(answer))
    for fault in found:
        print(f"WRONG     {fault}", file=sys.stderr)
    if not found:
        print(f"right     as in {arguments.truth.name}")
    return WRONG if found else RIGHT


if __name__ == "__main__":
    sys.exit(main())
