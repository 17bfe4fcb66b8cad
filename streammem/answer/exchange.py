"""One HTTP request under one deadline, to the host that the user named and to no other.

A server may accept and never answer, or send a byte a minute: the waiting is done here and not
in the socket, so that the deadline holds whatever happens below. Proxies are not asked.
"""

import contextlib
import http.client
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from streammem.core.errors import UsageError

MAX_BODY_BYTES = 4 * 2**20
_CHUNK_BYTES = 65_536
_POLL_S = 0.2


class ExchangeError(Exception):
    """There is no good response; the message says why.

    `timed_out`: nothing is left to wait; `final`: asking again would not help.
    """

    def __init__(self, message: str, *, timed_out: bool = False, final: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.final = final or timed_out


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The place of a server: scheme, host and port, and the path before its own paths."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """The endpoint of an address.

        Raises:
            UsageError: it is no `http` or `https` address, or holds a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            host = (parts.hostname or "").encode("idna").decode("ascii")
        except (ValueError, KeyError) as error:
            raise _no_address() from error
        plain = (parts.path + parts.query).isprintable() and (parts.path + parts.query).isascii()
        if not host or not plain or " " in parts.path + parts.query:
            raise _no_address()
        if "@" in parts.netloc:
            raise UsageError(
                "an address must not hold a user name or a password",
                hint="put the key into STREAMMEM_OPENAI_KEY or into a file",
                code="bad_address",
            )
        return cls(parts.scheme, host, port, parts.path.rstrip("/"), parts.query)

    def target(self, path: str) -> str:
        """The request target of a path below this endpoint."""
        return f"{self.path}{path}" + (f"?{self.query}" if self.query else "")

    def same_host(self, location: str) -> str | None:
        """The request target of a redirect, None where it leads to another place."""
        parts = urlsplit(location)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not parts.scheme and not parts.netloc:
            return target if target.startswith("/") else None
        try:
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            return None
        own = (self.scheme, self.host, self.port)
        return target if (parts.scheme, parts.hostname, port) == own else None

    @property
    def shown(self) -> str:
        """The address for messages; queries may hold keys and stay out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def _no_address() -> UsageError:
    return UsageError(
        "that is no address of a server",
        hint="write for example openai:http://127.0.0.1:8000/v1#MODEL",
        code="bad_address",
    )


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of all waiting, on the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 once it has passed."""
        return max(0.0, self.at_s - time.monotonic())


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a server; `headers` may hold a key and are never shown."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """The head of a response; `chunks` gives its body as it comes, once."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]

    def retry_after_s(self) -> float | None:
        """How long the server wants to be left alone, None where it says nothing readable."""
        try:
            wait_s = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return wait_s if math.isfinite(wait_s) and wait_s >= 0 else None


@contextlib.contextmanager
def send(endpoint: Endpoint, request: Request, deadline: Deadline) -> Iterator[Response]:
    """The response to a request, while it comes in. Leaving ends the exchange.

    Raises:
        ExchangeError: no connection, no response in time, no HTTP, or more than 4 MiB.
    """
    exchange = _Exchange(endpoint, request, deadline)
    exchange.start()
    try:
        status, headers = exchange.head()
        yield Response(status, headers, exchange.chunks())
    finally:
        exchange.stop()


class _Exchange(threading.Thread):
    """Talks to the server in a thread of its own; whoever waits for it keeps the time."""

    def __init__(self, endpoint: Endpoint, request: Request, deadline: Deadline) -> None:
        super().__init__(name="exchange", daemon=True)
        self._request = request
        self._deadline = deadline
        self._events: queue.Queue[Any] = queue.Queue(maxsize=16)
        self._stopped = threading.Event()
        wait_s = max(0.001, deadline.left_s)
        if endpoint.scheme == "https":
            context = ssl.create_default_context()
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                endpoint.host, endpoint.port, timeout=wait_s, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(
                endpoint.host, endpoint.port, timeout=wait_s
            )

    def head(self) -> tuple[int, Mapping[str, str]]:
        status, headers = self._next()
        return int(status), headers

    def chunks(self) -> Iterator[bytes]:
        size = 0
        while (chunk := self._next()) is not None:
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise ExchangeError("it sent more than 4 MiB")
            yield chunk

    def stop(self) -> None:
        """End the exchange from outside: a blocked read returns at once."""
        self._stopped.set()
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _next(self) -> Any:
        try:
            event = self._events.get(timeout=max(0.001, self._deadline.left_s))
        except queue.Empty:
            raise ExchangeError("it did not answer in time", timed_out=True) from None
        if isinstance(event, ExchangeError):
            raise event
        return event

    def run(self) -> None:
        """The exchange, told step by step."""
        request = self._request
        try:
            self._connection.request(
                request.method, request.target, body=request.body, headers=dict(request.headers)
            )
            response = self._connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            self._tell((response.status, names))
            while chunk := response.read1(_CHUNK_BYTES):
                self._tell(chunk)
            self._tell(None)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._tell(ExchangeError(_reason(error)))
        finally:
            self._connection.close()

    def _tell(self, event: Any) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._events.put(event, timeout=_POLL_S)
                return


def _reason(error: Exception) -> str:
    """Why an exchange failed, in words without anything that a server sent."""
    if isinstance(error, ssl.SSLError):
        return "its certificate or encryption cannot be trusted"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError):
        return "the connection broke"
    return "what it sent is not HTTP"
