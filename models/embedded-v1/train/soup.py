"""The mean of the averaged weights of two checkpoints of one run, as a checkpoint for `finish.py`.

    python models/embedded-v1/train/soup.py FIRST.pt SECOND.pt --out DIR/checkpoint.pt

Weights that were trained apart from one start for a while often do better in the mean than each
(Wortsman and others, 2022, "Model soups"). `finish.py` compares it with the averaged weights of
the second, which the file holds beside it.
"""

import argparse
from pathlib import Path

import torch

Weights = dict[str, torch.Tensor]


def mean_of(first: Weights, second: Weights) -> Weights:
    """Halfway between two sets of weights; counts are those of the second.

    Raises:
        ValueError: they are not of one network.
    """
    shapes = [{name: each.shape for name, each in held.items()} for held in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError("the checkpoints are of different networks")
    return {
        name: first[name].lerp(value, 0.5) if value.is_floating_point() else value
        for name, value in second.items()
    }


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    first, second = (
        torch.load(path, weights_only=True)["averaged"] for path in (options.first, options.second)
    )
    torch.save({"averaged": mean_of(first, second), "student": second}, options.out)


if __name__ == "__main__":
    main()
