"""Chat servers on loopback, good ones and bad ones: each behaviour answers real requests."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

# For how long a server that never answers keeps its line open: what waits for it takes as long.
PATIENCE_S = 120.0


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps what came in, and lets the behaviour of the moment answer."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        seen = Seen(self.path, dict(self.headers.items()), json.loads(self.rfile.read(size)))
        self._answer(seen)

    def do_GET(self) -> None:
        self._answer(Seen(self.path, dict(self.headers.items()), {}))

    def _answer(self, seen: "Seen") -> None:
        self.server.seen.append(seen)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.server.behaviour(self, seen)

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""

    def send(self, body: bytes, kind: str = "application/json", status: int = 200) -> None:
        """A whole response; the connection ends with it."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def begin(self, kind: str = "text/event-stream") -> None:
        """The head of a response that ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True


@dataclass
class Seen:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def content(self) -> Any:
        """What the user's turn holds."""
        return self.body["messages"][1]["content"]

    @property
    def text(self) -> str:
        """The words of the user's turn."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part["text"] for part in self.content if part["type"] == "text")


Behaviour = Callable[[Handler, Seen], None]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    behaviour: Behaviour
    seen: list[Seen]
    ended: threading.Event


@dataclass
class Running:
    """A server under way: its address, and every request so far."""

    address: str
    seen: list[Seen] = field(default_factory=list)

    @property
    def asked(self) -> list[Seen]:
        """The requests for an answer."""
        return [seen for seen in self.seen if seen.path.endswith("/chat/completions")]


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Running]:
    """A server with one behaviour, on a free port of this machine."""
    with _Server(("127.0.0.1", 0), Handler) as server:
        server.behaviour, server.seen, server.ended = behaviour, [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield Running(f"http://127.0.0.1:{server.server_address[1]}/v1", server.seen)
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


@contextmanager
def nobody() -> Iterator[str]:
    """An address at which nothing listens, and at which no other program begins to meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


def events(text: str, *, done: bool = True) -> bytes:
    """A stream of events that spells a text, a few letters each."""
    pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
    lines = [
        json.dumps({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
        for piece in pieces
    ]
    if done:
        lines += [
            json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            json.dumps({"choices": [], "usage": {"total_tokens": 9}}),
            "[DONE]",
        ]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def says(text: str | Callable[[Seen], str]) -> Behaviour:
    """Streams a text, or one that depends on the question."""

    def behave(handler: Handler, seen: Seen) -> None:
        if handler.command == "GET":
            handler.send(json.dumps({"data": [{"id": "served-model"}]}).encode())
            return
        handler.begin()
        handler.wfile.write(events(text if isinstance(text, str) else text(seen)))

    return behave


def says_at_once(text: str) -> Behaviour:
    """One JSON document, as servers answer that do not stream."""
    document = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    return lambda handler, _seen: handler.send(json.dumps(document).encode())


def sends(body: bytes, kind: str = "application/json", status: int = 200) -> Behaviour:
    """A fixed body, whatever was asked."""
    return lambda handler, _seen: handler.send(body, kind, status)


def streams(body: bytes) -> Behaviour:
    """A fixed stream of events."""

    def behave(handler: Handler, _seen: Seen) -> None:
        handler.begin()
        handler.wfile.write(body)

    return behave


def never_answers(handler: Handler, _seen: Seen) -> None:
    """Accepts the question and says nothing until it is shut down."""
    handler.close_connection = True
    handler.server.ended.wait(PATIENCE_S)


def drips(head: bytes) -> Behaviour:
    """Sends a byte now and then, forever, after some bytes at once."""

    def behave(handler: Handler, _seen: Seen) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        while not handler.server.ended.is_set():
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    return behave


def never_ends(handler: Handler, _seen: Seen) -> None:
    """Streams the same event as long as somebody reads."""
    handler.begin()
    piece = events("blah " * 50, done=False)
    while not handler.server.ended.is_set():
        handler.wfile.write(piece)


def breaks_off(handler: Handler, _seen: Seen) -> None:
    """Promises more bytes than it sends, in the middle of a chunk."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"fff\r\n" + events("Half an answer [e1].", done=False))
    handler.close_connection = True


def hangs_up(handler: Handler, _seen: Seen) -> None:
    """Closes without a word."""
    handler.close_connection = True


def no_http(handler: Handler, _seen: Seen) -> None:
    """Speaks another protocol."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    handler.close_connection = True


def fails_first(times: int, status: int, then: Behaviour, **headers: str) -> Behaviour:
    """An error for the first requests, then another behaviour."""

    def behave(handler: Handler, seen: Seen) -> None:
        if len(handler.server.seen) > times:
            then(handler, seen)
            return
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


def redirects(location: str, status: int = 307) -> Behaviour:
    """Sends the asker elsewhere."""

    def behave(handler: Handler, _seen: Seen) -> None:
        handler.send_response(status)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave
