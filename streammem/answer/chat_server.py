"""`openai:URL`: any server that speaks the chat completions of OpenAI.

vLLM, Ollama, llama.cpp, LM Studio and `transformers serve` do. Only the named host is spoken to.
"""

import base64
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streammem.answer.base import Material, NoReplyError, OnProgress, Reply, no_progress
from streammem.answer.chat_stream import MalformedReplyError, read_reply
from streammem.answer.exchange import (
    Deadline,
    Endpoint,
    ExchangeError,
    Request,
    Response,
    send,
)
from streammem.answer.language import LanguageAnswerer
from streammem.answer.prompt import Prompt
from streammem.core.errors import UsageError

KEY_VARIABLE = "STREAMMEM_OPENAI_KEY"
ATTEMPTS = 3
_BACKOFF_S = 0.5
_MAX_KEY_BYTES = 4096
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
# What servers answer to pictures where their model cannot see.
_CANNOT_SEE = frozenset({400, 413, 415, 422})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATABLE = frozenset({307, 308})
BLIND_NOTE = "the chat server takes no pictures; it was given the words alone"


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How a server is asked: `timeout_s` bounds an answer with all its attempts."""

    model: str = ""
    timeout_s: float = 60.0
    max_tokens: int = 400
    cue_chars: int = 4000
    key_file: str = ""


class ChatServer(LanguageAnswerer):
    """A chat server as answerer. The key is in no message and in no representation of it."""

    def __init__(self, address: str, settings: ChatSettings) -> None:
        """Prepare for a server; nothing is sent yet.

        Args:
            address: `http://host:port/v1`, with `#model` where a model is named.
            settings: How it is asked; a model in the address goes first.

        Raises:
            UsageError: the address or the key cannot be used.
        """
        super().__init__(settings.cue_chars)
        url, _, model = address.partition("#")
        self._endpoint = Endpoint.parse(url.removesuffix("/").removesuffix("/chat/completions"))
        self._settings = replace(settings, model=model or settings.model)
        self._key = read_key(settings.key_file)
        self._sees = True

    @property
    def name(self) -> str:
        """`openai:` and the address without anything secret."""
        model = f"#{self._settings.model}" if self._settings.model else ""
        return f"openai:{self._endpoint.shown}{model}"

    def answer(self, material: Material, on_progress: OnProgress = no_progress) -> Reply:
        """The claims of the server's model that cite evidence."""
        reply = super().answer(material, on_progress)
        blind = material.pictures and not self._sees
        return replace(reply, notes=(BLIND_NOTE,)) if blind else reply

    def _write(self, prompt: Prompt, on_progress: OnProgress) -> str:
        deadline = Deadline.after(self._settings.timeout_s)
        try:
            if not self._settings.model:
                self._settings = replace(self._settings, model=self._first_model(deadline))
            return self._complete(prompt, deadline, on_progress)
        except ExchangeError as error:
            waited = f" ({self._settings.timeout_s:g} s)" if error.timed_out else ""
            raise NoReplyError(f"{error}{waited}") from error
        except MalformedReplyError as error:
            raise NoReplyError(str(error)) from error

    def _first_model(self, deadline: Deadline) -> str:
        """The first model that the server lists."""
        for response in self._responses(Request("GET", self._endpoint.target("/models")), deadline):
            body = b"".join(response.chunks)
            try:
                found = json.loads(body)["data"][0]["id"]
            except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
                raise MalformedReplyError(
                    "it lists no model; name one: openai:URL#MODEL"
                ) from error
            return str(found)
        raise ExchangeError("it lists no model; name one: openai:URL#MODEL")

    def _complete(self, prompt: Prompt, deadline: Deadline, on_progress: OnProgress) -> str:
        for shows in (True, False) if len(prompt.texts) < len(prompt.parts) else (False,):
            self._sees = shows
            request = Request(
                "POST",
                self._endpoint.target("/chat/completions"),
                {
                    "Content-Type": "application/json",
                    "Accept": "text/event-stream, application/json",
                },
                json.dumps(self._payload(prompt)).encode(),
            )
            for response in self._responses(request, deadline, has_pictures=shows):
                return read_reply(response.headers.get("content-type", ""), response.chunks,
                                  on_progress)  # fmt: skip
        raise ExchangeError("it refuses the question")

    def _responses(
        self, request: Request, deadline: Deadline, *, has_pictures: bool = False
    ) -> Iterator[Response]:
        """The first good response; none where the server cannot take pictures.

        Raises:
            ExchangeError: every attempt failed, or the server refuses.
        """
        headers = dict(request.headers)
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = replace(request, headers=headers)
        for attempt in range(1, ATTEMPTS + 1):
            wait_s = _BACKOFF_S * 2 ** (attempt - 1)
            try:
                with send(self._endpoint, request, deadline) as response:
                    if response.status == 200:
                        yield response
                        return
                    if has_pictures and _cannot_see(response.status, attempt):
                        return
                    if response.status in _REDIRECTS:
                        request = self._redirected(request, response)
                        continue
                    wait_s = max(wait_s, response.retry_after_s() or 0.0)
                    raise _refusal(response.status)
            except ExchangeError as error:
                if error.final or attempt == ATTEMPTS or wait_s >= deadline.left_s:
                    raise
            time.sleep(wait_s)
        raise ExchangeError("it redirects again and again", final=True)

    def _redirected(self, request: Request, response: Response) -> Request:
        target = self._endpoint.same_host(response.headers.get("location", ""))
        if target is None or (request.method != "GET" and response.status not in _REPEATABLE):
            raise ExchangeError("it redirects to another place, which is not followed", final=True)
        return replace(request, target=target)

    def _payload(self, prompt: Prompt) -> dict[str, Any]:
        content: str | list[dict[str, Any]] = "\n".join(prompt.texts)
        if self._sees:
            content = [_part(part) for part in prompt.parts]
        return {
            "model": self._settings.model,
            "messages": [
                {"role": "system", "content": prompt.rules},
                {"role": "user", "content": content},
            ],
            "max_tokens": self._settings.max_tokens,
            "temperature": 0,
            "stream": True,
        }


def _refusal(status: int) -> ExchangeError:
    return ExchangeError(f"it answered with HTTP {status}", final=status not in _TRANSIENT)


def _cannot_see(status: int, attempt: int) -> bool:
    """Whether a server without sight answers so; llama.cpp has an internal error each time."""
    return status in _CANNOT_SEE or (status == 500 and attempt > 1)


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.jpeg).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def read_key(key_file: str) -> str:
    """The key from the environment, else from a file; empty where there is neither.

    Raises:
        UsageError: the file cannot be read, or what was found cannot be a key.
    """
    key, place = os.environ.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
    if not key and key_file:
        place = key_file
        try:
            with Path(key_file).expanduser().open("rb") as file:
                key = file.read(_MAX_KEY_BYTES).decode("ascii", "replace").strip()
        except OSError as error:
            raise UsageError(
                f"cannot read the key file {key_file}: {error.strerror}",
                hint="set answer.key_file to a file that holds the key and nothing else",
                code="bad_key",
            ) from error
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"what {place} holds cannot be a key", hint="one word in plain letters", code="bad_key"
        )
    return key
