"""The line between a watched source's process and the one that remembers: frames and words."""

import json
import struct
from typing import IO, Any

import numpy as np

from streammem.video.live_clock import Sighting

_HEAD = struct.Struct("<BI")
_FRAME = struct.Struct("<dddIHHHH")
_WORDS, _FRAMES = 0, 1


def send_frame(stream: IO[bytes], one: Sighting) -> None:
    """One frame, pixels row by row."""
    pixels = one.pixels
    height, width = (0, 0) if pixels is None else pixels.shape[1:]
    body = b"" if pixels is None else np.ascontiguousarray(pixels.transpose(1, 2, 0)).tobytes()
    head = _FRAME.pack(one.pts_s, one.lasts_s, one.at_s, one.digest, *one.size, width, height)
    stream.write(_HEAD.pack(_FRAMES, len(head) + len(body)) + head)
    stream.write(body)
    stream.flush()


def send_words(stream: IO[bytes], words: dict[str, Any]) -> None:
    """One message in words."""
    body = json.dumps(words).encode()
    stream.write(_HEAD.pack(_WORDS, len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> Sighting | dict[str, Any] | None:
    """The next frame or message; None once the other side is gone."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        return None
    if kind == _WORDS:
        words: dict[str, Any] = json.loads(body)
        return words
    pts_s, lasts_s, at_s, digest, *sizes = _FRAME.unpack_from(body)
    width, height = sizes[2:]
    pixels = None
    if width:
        rows = np.frombuffer(body, np.uint8, offset=_FRAME.size).reshape(height, width, 3)
        pixels = rows.transpose(2, 0, 1)
    return Sighting(pts_s, lasts_s, at_s, digest, (sizes[0], sizes[1]), pixels)
