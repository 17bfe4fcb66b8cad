"""Trains the encoder `embedded-v1` from pictures and teachers, start to finish.

    python models/embedded-v1/train/run.py --pictures DIR --teachers DIR --work DIR

Each stage is skipped when its result is in the work folder, and training goes on from its last
checkpoint, so the same command after a kill finishes the run. The result is written beside this
folder: weights, words, background, manifest.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from compose import compose
from detect import detect
from finish import finish
from grow import start_from
from pictures import decode_pictures
from things import cut_out
from train import Plan, train


def main() -> None:
    """All stages in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--teachers", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Plan().steps)
    parser.add_argument("--small-share", type=float, default=Plan().small_share)
    parser.add_argument("--decay-from", type=float, default=Plan().decay_from)
    parser.add_argument("--start-from", type=Path, help="a folder of shipped files to go on from")
    options = parser.parse_args()
    plan = replace(
        Plan(),
        steps=options.steps,
        small_share=options.small_share,
        decay_from=options.decay_from,
    )
    digests = decode_pictures(options.pictures, options.work)
    detect(options.work, options.teachers)
    compose(options.work)
    # What is composed is partly things in boxes, and has boxes of its own.
    detect(options.work, options.teachers)
    cut_out(options.work, options.teachers)
    record = {"plan": asdict(plan), "pictures": digests}
    (options.work / "run.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    if options.start_from:
        start_from(options.start_from, options.work, options.teachers, plan)
    train(options.work, options.teachers, plan)
    finish(options.work, options.teachers)


if __name__ == "__main__":
    main()
