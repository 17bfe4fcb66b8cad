"""The training pictures: which sets are used, how often each is seen, and their pixels in memory.

Only sets whose licence lets a trained model be shipped are read; nothing of evaluation clips.
"""

import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Of unknown or doubtful origin by the README of the pictures.
EXCLUDED_SETS = frozenset(("plant_cctv", "plant_videos", "rooms_stock"))
# How often a picture of a set is drawn per pass: rich scenes often, plain objects rarely.
DRAWS = {
    "caltech101": 3, "clothing": 1, "trashnet": 1, "african_storybook": 2, "grocery": 2,
    "oxford_pets": 4, "recipe_photos": 8, "azure_samples": 6, "coco_cc": 30,
    "udacity_road": 8, "tum_rgbd": 10, "bangkok_buses": 2, "facades": 2, "gov_18f": 12,
    "mdn_learning": 6, "ropensci_site": 12, "jetson_images": 15, "mediapipe_test": 15,
    "frigate_docs": 15, "ui_kit_photos": 10, "inference_tests": 12, "person_tracker_videos": 8,
    "classroom_video": 6, "drone_river": 6, "coral_test": 10, "peace_corps_site": 12,
    "udacity_lanes": 8, "composed": 1,
}  # fmt: skip
# The set of the pictures that `compose` makes of others.
COMPOSED = "composed"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of the lists: where its pixels are in the store, and what is said of it."""

    file: str
    split: str
    set: str
    label: str
    offset: int
    height: int
    width: int


class PictureStore:
    """All pictures decoded once into one file of bytes that processes share."""

    def __init__(self, folder: Path) -> None:
        rows = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
        self.pictures = [Picture(**row) for row in rows]
        self._bytes = np.memmap(folder / "pictures.bin", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.pictures)

    def pixels(self, index: int) -> Pixels:
        """One picture, uint8 `[H W 3]`."""
        each = self.pictures[index]
        size = each.height * each.width * 3
        flat = self._bytes[each.offset : each.offset + size]
        return np.asarray(flat).reshape(each.height, each.width, 3)

    def of_split(self, split: str) -> list[int]:
        """Indices of `train` or `val`."""
        return [row for row, each in enumerate(self.pictures) if each.split == split]


def decode_pictures(source: Path, folder: Path) -> dict[str, str]:
    """Write the store, and return the digests of the lists and shards it was made from."""
    digests = {path.name: _digest(path) for path in _inputs(source)}
    record = folder / "inputs.json"
    if record.is_file() and json.loads(record.read_text(encoding="utf-8")) == digests:
        return digests
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    offset = 0
    with (folder / "pictures.bin").open("wb") as out:
        for row, pixels in _decoded(source):
            out.write(pixels.tobytes())
            rows.append({
                "file": row["file"], "split": row["split"], "set": row["set"],
                "label": row["label"], "offset": offset,
                "height": pixels.shape[0], "width": pixels.shape[1],
            })  # fmt: skip
            offset += pixels.size
    (folder / "pictures.json").write_text(json.dumps(rows), encoding="utf-8")
    record.write_text(json.dumps(digests, indent=1), encoding="utf-8")
    return digests


def _inputs(source: Path) -> list[Path]:
    return sorted([*source.glob("MANIFEST*.csv"), *source.glob("*.tar")])


def _decoded(source: Path) -> Iterator[tuple[dict[str, str], Pixels]]:
    for path in sorted(source.glob("MANIFEST*.csv")):
        rows = {
            (row["shard"], row["file"]): row
            for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
            if row["set"] not in EXCLUDED_SETS
        }
        for shard in sorted({shard for shard, _ in rows}):
            with tarfile.open(source / shard) as archive:
                for member in archive:
                    row = rows.get((shard, member.name))
                    held = archive.extractfile(member) if row else None
                    if row and held:
                        picture = Image.open(io.BytesIO(held.read())).convert("RGB")
                        yield row, np.asarray(picture)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
