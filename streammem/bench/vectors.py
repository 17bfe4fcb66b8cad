"""Vectors of real material, made once and kept on disk: frames of clips, lines of text."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from streammem.bench import _text_features
from streammem.core.errors import SourceError
from streammem.core.types import Floats, Times
from streammem.encoders.base import Encoder
from streammem.encoders.digests import file_digest
from streammem.encoders.load import choose_encoder, load_encoder
from streammem.video.reader import ReaderOptions, open_reader

SAMPLE_HZ = 4.0
HASHED = "hashed words"
HASHED_DIM = 512
_BATCH = 32


def cache_folder(asked: Path | None) -> Path:
    """Where vectors are kept: the folder asked for, else the user's cache."""
    return asked or Path(platformdirs.user_cache_dir("streammem")) / "bench"


@dataclass(frozen=True, slots=True)
class ClipVectors:
    """Four embeddings `[B D]` a second of one clip, and their times from its beginning."""

    embeddings: Floats
    pts_s: Times


def encode_clips(
    files: Sequence[Path], encoder_id: str, weights: str, folder: Path
) -> tuple[str, dict[str, Path]]:
    """The encoder's id, and for every file where its vectors lie; missing ones are made.

    Raises:
        SourceError: a file is missing or cannot be read.
        MissingError: the encoder is not on this machine.
    """
    choice = choose_encoder(encoder_id, weights=weights)
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, Path] = {}
    with load_encoder(choice) as encoder:
        for file in files:
            if not file.is_file():
                raise SourceError(f"{file} of the list of clips is not there")
            name = hashlib.sha256(f"{file_digest(file)} {encoder.spec.digest}".encode()).hexdigest()
            place = places[str(file)] = folder / f"clip-{name[:24]}.npz"
            if not place.exists():
                clip = _encode(file, encoder)
                _save(place, embeddings=clip.embeddings, pts_s=clip.pts_s)
    return choice.id, places


def _encode(file: Path, encoder: Encoder) -> ClipVectors:
    options = ReaderOptions(sample_hz=SAMPLE_HZ, short_side_px=encoder.spec.image_size_px)
    vectors: list[Floats] = []
    times: list[float] = []
    with open_reader(str(file), options) as reader:
        held = []
        for item in reader.frames():
            held.append(item.frame.pixels)
            times.append(item.frame.pts_s)
            if len(held) == _BATCH:
                vectors.append(encoder.encode_images(np.stack(held)).embeddings)
                held = []
        if held:
            vectors.append(encoder.encode_images(np.stack(held)).embeddings)
    pts_s = np.asarray(times, np.float64)
    return ClipVectors(np.concatenate(vectors), pts_s - pts_s[0])


def load_clip(place: Path) -> ClipVectors:
    """The vectors that `encode_clips` kept."""
    with np.load(place, allow_pickle=False) as data:
        return ClipVectors(data["embeddings"], data["pts_s"])


def encode_texts(texts: Sequence[str], folder: Path) -> tuple[str, Path]:
    """What made the vectors of the texts, and where these lie.

    Sentence features where the `text` extra is installed, else hashed words, which know no
    likeness beyond shared words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sorted(set(texts))
    made_by = _text_features.NAME if _text_features.available() else HASHED
    name = hashlib.sha256(json.dumps([made_by, wanted]).encode()).hexdigest()
    place = folder / f"text-{name[:24]}.npz"
    if not place.exists():
        rows = _text_features.encode(wanted) if made_by != HASHED else hashed_words(wanted)
        _save(place, texts=np.array(wanted), rows=rows)
    return made_by, place


def load_texts(place: Path) -> Mapping[str, Floats]:
    """The vector of every text that `encode_texts` kept."""
    with np.load(place, allow_pickle=False) as data:
        return dict(zip(data["texts"].tolist(), data["rows"], strict=True))


def hashed_words(texts: Sequence[str]) -> Floats:
    """Unit bags of words float32 `[N 512]`, each word a signed direction of its checksum."""
    rows = np.zeros((len(texts), HASHED_DIM), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.casefold().split():
            code = zlib.crc32(word.encode())
            row[code % HASHED_DIM] += 1 if code >> 31 else -1
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(lengths, np.float32(1e-9))
    return unit


def _save(place: Path, **arrays: NDArray[Any]) -> None:
    """Write a file whole or not at all."""
    part = place.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, **arrays)
    part.replace(place)
