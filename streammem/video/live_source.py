"""What can be watched, and how each kind of it is opened: addresses, cameras, growing files."""

import hashlib
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from streammem.core.errors import SourceError, UsageError
from streammem.video.discover import SourceKind, kind_of, local_path
from streammem.video.identity import redact
from streammem.video.protocols import OpenPlan, plan_open

TRANSPORTS = ("tcp", "udp")
STDIN = "-"
_CAMERA = re.compile(r"/dev/video\d+")
_CAMERA_FORMAT = "video4linux2,v4l2"
# A source that says too little about itself is looked at for so long, or so many frames, before it
# is decoded.
_LOOK = {"analyzeduration": "2000000", "fpsprobesize": "4"}
_HEAD_BYTES = 4096


def is_camera(source: str) -> bool:
    """Whether a source is a video device of this machine."""
    return _CAMERA.fullmatch(source) is not None


def is_growing_file(source: str) -> bool:
    """Whether a source is a file of this machine, which may still be written."""
    return kind_of(source) is SourceKind.FILE and not is_camera(source)


def check_watchable(source: str, transport: str) -> None:
    """Refuse what can never be watched, before anything is begun.

    Raises:
        UsageError: it is not a stream, or there is no such transport.
        SourceError: the camera or the file is not there.
    """
    if transport not in TRANSPORTS:
        raise UsageError(f"no transport {transport!r}", hint=f"one of {', '.join(TRANSPORTS)}")
    kind = kind_of(source)
    if source == STDIN:
        if sys.platform == "win32":
            raise UsageError(
                "standard input cannot be watched on Windows", hint="watch an address or a file"
            )
    elif is_camera(source):
        _check_camera(source)
    elif kind in (SourceKind.IMAGES, SourceKind.SYNTHETIC):
        raise UsageError(
            f"{source} is not a stream that goes on", hint="remember it with: streammem ingest"
        )
    else:
        plan_open(source)


def live_plan(source: str, *, transport: str, again: bool, descriptor: int | None) -> OpenPlan:
    """How a watched source is opened.

    Args:
        source: An address, a camera, a file or `-`.
        transport: What RTSP travels over.
        again: Whether it was open before: a window of segments is then read from its beginning.
        descriptor: The file descriptor that stands for `-`.

    Raises:
        SourceError: it is not there, or may not be opened.
    """
    if source == STDIN:
        options = {"protocol_whitelist": "pipe,crypto", **_LOOK}
        return OpenPlan(f"pipe:{descriptor}", options, None, live=True)
    if is_camera(source):
        _check_camera(source)
        return OpenPlan(source, {}, None, live=True, format=_CAMERA_FORMAT)
    plan = plan_open(source)
    options = dict(plan.options)
    if kind_of(source) is SourceKind.FILE:
        # The end of the file is where its writer is, and looking for its length would wait there.
        options |= {"follow": "1", "skip_estimate_duration_from_pts": "1", **_LOOK}
        return replace(plan, options=options, live=True)
    scheme = source.partition(":")[0].lower()
    options |= _LOOK
    if scheme in ("rtsp", "rtsps"):
        options.pop("rtsp_flags", None)
        options["rtsp_transport"] = transport
    if scheme in ("http", "https") and again:
        options["live_start_index"] = "0"
    return replace(plan, options=options, live=True)


def is_playlist(source: str) -> bool:
    """Whether an address is that of an HLS playlist, by its name."""
    path = source.partition("?")[0].partition("#")[0]
    return path.lower().endswith((".m3u8", ".m3u"))


def is_recording(source: str, length_us: int | None) -> bool:
    """Whether an address that was opened holds something with an end, by the length it declares.

    Servers of live protocols play recordings as if they were live, and end where they like.
    """
    return source[:4].lower() == "http" and length_us is not None and length_us > 0


def head_of(source: str) -> str | None:
    """The beginning of a file in hexadecimal, to tell whether it is still the same one."""
    if not is_growing_file(source):
        return None
    try:
        with local_path(source).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    return hashlib.blake2b(head, digest_size=16).hexdigest() if len(head) == _HEAD_BYTES else None


def _check_camera(source: str) -> None:
    if not Path(source).exists():
        raise SourceError(
            f"there is no camera {source}",
            hint="plug it in, or see `ls /dev/video*` for those that are there",
            code="not_found",
        )
    if not os.access(source, os.R_OK | os.W_OK):
        raise SourceError(
            f"the camera {redact(source)} may not be used by this user",
            hint="add the user to the group `video`",
            code="permission_denied",
        )
