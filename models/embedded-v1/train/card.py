"""Renews the measured parts of the card: the nouns, the real clips, the validation pictures.

    python models/embedded-v1/train/card.py --work DIR

after `finish.py` and `benchmarks/embedded.py`. The words around them are written by hand.
"""

import argparse
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL = Path(__file__).resolve().parents[1]
RESULTS = MODEL.parents[1] / "benchmarks" / "results" / "embedded.json"
# Rows of the table of nouns: their least average precision, as it is printed.
_BANDS = (("0.7 and more", 0.7), ("0.5 to 0.7", 0.5), ("0.35 to 0.5", 0.35), ("less", 0.0))
# Known nouns that are found in a smaller share of clips are listed.
RARELY = 0.7
_WAYS = {"descriptor": "descriptor", "embedded-v1": "embedded-v1", "the teachers": "teachers"}


def renewed(
    card: str, nouns: Mapping[str, float], measured: Mapping[str, Any], clips: Mapping[str, Any]
) -> str:
    """The card with the figures of this release.

    `nouns` are those of the manifest, `measured` is what `finish.py` found, `clips` what the
    benchmark found.

    Raises:
        ValueError: the card has no place for one of them.
    """
    card = _put(card, r"^\d+ nouns, by", f"{len(nouns)} nouns, by")
    card = _put(card, r"^\| average precision \| nouns \|\n(?:\|.*\n)+", _table_of(nouns))
    for name, way in _WAYS.items():
        found = clips[way]
        row = f"| {name} | {found['right_clip']:.2f} | {found['right_moment']:.2f} |"
        card = _put(card, rf"^\| {name} \|.*$", row)
    card = _put(card, r"^\| validation pictures \(\d+\).*\n(?:\|.*\n)+", _validation(measured))
    rarely = rf"(?<=Found in fewer than {RARELY}: ).*(?=\.$)"
    card = _put(card, rarely, _rarely_found(measured["found"]))
    return _put(card, r"(?<=learned background is )\d+\.\d+", f"{measured['spread']:.2f}")


def _put(card: str, pattern: str, text: str) -> str:
    found, count = re.subn(pattern, lambda _: text, card, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{pattern!r} is in the card {count} times")
    return found


def _table_of(nouns: Mapping[str, float]) -> str:
    rows = ["| average precision | nouns |", "| --- | --- |"]
    above = float("inf")
    for name, least in _BANDS:
        held = [f"{noun} {found:.2f}" for noun, found in nouns.items() if least <= found < above]
        if held:
            rows.append(f"| {name} | {', '.join(held)} |")
        above = least
    return "\n".join(rows) + "\n"


def _rarely_found(found: Mapping[str, float]) -> str:
    rare = sorted((share, noun) for noun, share in found.items() if round(share, 2) < RARELY)
    return ", ".join(f"{noun} {share:.2f}" for share, noun in rare)


def _validation(measured: Mapping[str, Any]) -> str:
    agreed, clips = measured["agreement"], measured["clips"]
    sure, coco = agreed["sure_pictures"], len(measured["coco"])
    rows = {
        "---": "---",
        "the classifier's class is first, of 1,000": f"{agreed['top1']:.2f}",
        "among the first five": f"{agreed['top5']:.2f}",
        f"first, on the {sure} pictures where the classifier is more than half sure":
            f"{agreed['top1_where_teacher_is_sure']:.2f}",
        "among the first five, there": f"{agreed['top5_where_teacher_is_sure']:.2f}",
        f"mean average precision over the {coco} COCO classes that the detector finds in at least "
        "5 pictures": f"{measured['coco_map']:.2f}",
        "clips of 24 pictures, plain and composed, with two that show a noun: found":
            f"{clips['shown_found']} of {clips['shown']}",
        "such clips without it: taken for showing it":
            f"{clips['absent_found']} of {clips['absent']}",
    }  # fmt: skip
    lines = [f"| validation pictures ({agreed['pictures']}) | |"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())]) + "\n"


def main() -> None:
    """Renew the card in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    manifest = tomllib.loads((MODEL / "manifest.toml").read_text(encoding="utf-8"))
    measured = json.loads((options.work / "measured.json").read_text(encoding="utf-8"))
    clips = json.loads(RESULTS.read_text(encoding="utf-8"))
    card = MODEL / "card.md"
    text = renewed(card.read_text(encoding="utf-8"), manifest["nouns"], measured, clips)
    card.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
