"""Pictures for evidence: the stored thumbnail, else a frame of the source, else none."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streammem.core.errors import SourceError
from streammem.core.types import Answer, Evidence
from streammem.runtime.asking import OpenMemory
from streammem.runtime.thumbnails import encode_picture, to_microseconds
from streammem.storage.memory_file import read_thumbnail
from streammem.video.reader import ReaderOptions, open_reader

_SIDE_PX = 320
_MAX_BYTES = 64 * 1024


def with_pictures(answer: Answer, opened: Sequence[OpenMemory], folder: Path) -> Answer:
    """The answer with pictures of its evidence and of its candidates, written into `folder`."""
    return replace(
        answer,
        evidence=save_pictures(answer.evidence, opened, folder),
        candidates=save_pictures(answer.candidates, opened, folder),
    )


def save_pictures(
    evidence: Sequence[Evidence], opened: Sequence[OpenMemory], folder: Path
) -> tuple[Evidence, ...]:
    """The evidence, each with the path of a WebP written into `folder` where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    by_id = {memory.meta.memory_id: memory for memory in opened}
    saved = []
    for item in evidence:
        data = picture_at(by_id[item.memory_id], item.time_s)
        path = None
        if data is not None:
            path = folder / file_name(item.id, item.memory_id, item.time_s)
            path.write_bytes(data)
        saved.append(replace(item, thumbnail=str(path) if path else None))
    return tuple(saved)


def file_name(number: str, memory_id: str, time_s: float) -> str:
    """What the picture of a piece of evidence or an event is called."""
    safe_id = re.sub(r"[^\w.-]", "_", memory_id)
    return f"{number}-{safe_id}-{time_s:.3f}s.webp"


def picture_at(memory: OpenMemory, time_s: float) -> bytes | None:
    """The WebP of the frame that is seen at an instant, None where nothing shows it."""
    stored = read_thumbnail(memory.path, to_microseconds([time_s])[0])
    if stored is not None:
        return stored
    source = memory.meta.source_path
    if source is None or not Path(source).exists():
        return None
    options = ReaderOptions(sample_hz=240.0, start_s=max(0.0, time_s - 1e-4), skip_nonref=False)
    try:
        with open_reader(source, options) as reader:
            for item in reader.frames():
                return encode_picture(item.frame.pixels, _SIDE_PX, _MAX_BYTES)
    except SourceError:
        return None
    return None
