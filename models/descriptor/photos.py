"""Photos whose licence lets their colour statistics be shipped without conditions."""

import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Public domain, CC0 and MIT; sets with share-alike terms, an unstated version or a licence that
# only an uploader states are left out.
LICENSED_SETS = frozenset(
    [
        "azure_samples",
        "clothing",
        "gov_18f",
        "grocery",
        "mdn_learning",
        "peace_corps_site",
        "recipe_photos",
        "trashnet",
    ]
)


def read_photos(folder: Path, split: str, count: int) -> Iterator[NDArray[np.uint8]]:
    """Up to `count` photos uint8 `[3 H W]` of a split, in an order fixed by a seed."""
    rows = [
        (row["shard"], row["file"])
        for path in sorted(folder.glob("MANIFEST*.csv"))
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        if row["split"] == split and row["set"] in LICENSED_SETS
    ]
    np.random.default_rng(3).shuffle(rows)
    for shard, file in sorted(rows[:count]):
        with tarfile.open(folder / shard) as archive:
            member = archive.extractfile(file)
            assert member is not None, f"{shard} has no {file}"
            picture = Image.open(io.BytesIO(member.read())).convert("RGB")
        yield np.asarray(picture).transpose(2, 0, 1)
