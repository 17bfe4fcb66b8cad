"""The body of a chat completion: server-sent events, or one JSON document; nothing is trusted."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from streammem.answer.base import OnProgress
from streammem.answer.citations import MAX_READ_CHARS

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_DONE = "[DONE]"


class MalformedReplyError(Exception):
    """The body is no chat completion; the message is in this project's words."""


def read_reply(content_type: str, chunks: Iterable[bytes], on_progress: OnProgress) -> str:
    """What the model wrote, without its thinking.

    Raises:
        MalformedReplyError: it is not a chat completion, is empty, or ends before its end.
    """
    if content_type.partition(";")[0].strip().lower() == "text/event-stream":
        written = _from_events(_events(chunks), on_progress)
    else:
        written = _content(_document(b"".join(chunks)), "message")
    written = _THINKING.sub("", written)
    if not written.strip():
        raise MalformedReplyError("it wrote nothing")
    return written


def _from_events(events: Iterator[str], on_progress: OnProgress) -> str:
    written: list[str] = []
    length, finished = 0, False
    for event in events:
        if event.strip() == _DONE:
            finished = True
            break
        document = _document(event.encode())
        if document.get("choices") == []:
            # The count of tokens comes in an event without choices.
            continue
        piece = _content(document, "delta")
        finished = finished or bool(document["choices"][0].get("finish_reason"))
        written.append(piece)
        length += len(piece)
        if length > MAX_READ_CHARS:
            raise MalformedReplyError(f"it wrote more than {MAX_READ_CHARS} characters")
        on_progress(length)
    if not finished:
        raise MalformedReplyError("its answer breaks off")
    return "".join(written)


def _events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event. Lines end with LF, CR LF or CR; other fields are comments to us."""
    data: list[str] = []
    for line in _lines(chunks):
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *lines, rest = re.split(b"\r\n|\n|\r(?!$)", rest + chunk)
        for line in lines:
            yield line.decode("utf-8", "replace")
    for line in re.split(b"\r\n|\n|\r", rest):
        yield line.decode("utf-8", "replace")


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedReplyError("what it sent is no JSON") from error
    if not isinstance(document, dict) or "error" in document:
        raise MalformedReplyError("it reported an error instead of an answer")
    return document


def _content(document: dict[str, Any], field: str) -> str:
    """The text of the first choice; servers leave it out or null in some events."""
    try:
        content = document["choices"][0][field].get("content") or ""
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise MalformedReplyError("what it sent is no chat completion") from error
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise MalformedReplyError("what it sent is no chat completion")
    return content
