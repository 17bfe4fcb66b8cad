"""Webhooks: alerts as signed HTTP posts to the one address that was named."""

import hashlib
import hmac
import json
import os
import threading
import time
from pathlib import Path

from streammem.answer.exchange import Deadline, Endpoint, ExchangeError, Request, send
from streammem.core.errors import UsageError
from streammem.runtime.sinks import DeliveryError, OnNote, Sink, SinkCounts

KEY_VARIABLE = "STREAMMEM_WEBHOOK_KEY"
TIMESTAMP_HEADER = "X-Streammem-Timestamp"
SIGNATURE_HEADER = "X-Streammem-Signature"
DELIVERY_HEADER = "X-Streammem-Delivery"
MIN_KEY_CHARS = 16
_MAX_KEY_BYTES = 4096
ATTEMPTS = 5
ATTEMPT_S = 10.0
TOTAL_S = 60.0
BACKOFF_S = 1.0
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class WebhookSink(Sink):
    """Posts each alert, in order; what fails for now is tried again until its time is up.

    `X-Streammem-Signature` is `sha256=` and the HMAC-SHA256 of the timestamp header, a dot and
    the body; `X-Streammem-Delivery` is the same for everything that is told of one alert.
    Redirects are not followed.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        on_note: OnNote,
        *,
        backoff_s: float = BACKOFF_S,
        attempt_s: float = ATTEMPT_S,
        total_s: float = TOTAL_S,
    ) -> None:
        """Prepare for an address; nothing is sent yet.

        Raises:
            UsageError: it is none that can be posted to.
        """
        try:
            self._endpoint = Endpoint.parse(url)
        except UsageError as error:
            raise UsageError(
                "that is no address of a webhook",
                hint="write for example https://alerts.example.org/camera; a key belongs into "
                f"{KEY_VARIABLE} or --webhook-key-file",
                code="bad_address",
            ) from error
        self._key = key
        self._backoff_s, self._attempt_s, self._total_s = backoff_s, attempt_s, total_s
        self._closing = threading.Event()
        super().__init__(f"webhook {self._endpoint.shown}", on_note, at_once=1)

    def deliver(self, body: bytes) -> None:
        """Post one alert.

        Raises:
            DeliveryError: no attempt was accepted in time, or the server refuses.
        """
        whole = Deadline.after(self._total_s)
        for attempt in range(1, ATTEMPTS + 1):
            wait_s = self._backoff_s * 2 ** (attempt - 1)
            try:
                asked_s = self._post(body, Deadline.after(min(self._attempt_s, whole.left_s)))
                if asked_s is None:
                    return
                wait_s = max(wait_s, asked_s)
                problem = "it cannot take alerts for now"
            except ExchangeError as error:
                if error.final and not error.timed_out:
                    raise DeliveryError(str(error)) from error
                problem = str(error)
            if attempt == ATTEMPTS or wait_s >= whole.left_s or self._closing.wait(wait_s):
                raise DeliveryError(f"{problem} ({attempt} attempts)")

    def close(self, wait_s: float | None = None) -> SinkCounts:
        """Wait for what is under way; nothing is tried again any more."""
        self._closing.set()
        return super().close(self._attempt_s if wait_s is None else wait_s)

    def _post(self, body: bytes, deadline: Deadline) -> float | None:
        """One attempt: None where it was accepted, else how long the server wants to be left."""
        request = Request("POST", self._endpoint.target("") or "/", self._headers(body), body)
        with send(self._endpoint, request, deadline) as response:
            if 200 <= response.status < 300:
                return None
            if response.status in _TRANSIENT:
                return response.retry_after_s() or 0.0
            raise ExchangeError(f"it answered with HTTP {response.status}", final=True)

    def _headers(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: timestamp,
            DELIVERY_HEADER: delivery_id(body),
        }
        if self._key:
            headers[SIGNATURE_HEADER] = f"sha256={signature(self._key, timestamp, body)}"
        return headers


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """The HMAC-SHA256 that a receiver has to find for a timestamp and a body, in hexadecimal."""
    return hmac.new(key, timestamp.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()


def delivery_id(body: bytes) -> str:
    """What is the same each time that an alert is told, also when it is told anew after a crash."""
    told = {name: value for name, value in json.loads(body).items() if name != "sent_at"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def read_webhook_key(key_file: str | None) -> bytes:
    """The key from the environment, else from a file; empty where there is neither.

    Raises:
        UsageError: the file cannot be read, or the key is too short to sign with.
    """
    key, place = os.environ.get(KEY_VARIABLE, "").strip().encode(), KEY_VARIABLE
    if not key and key_file:
        place = key_file
        try:
            with Path(key_file).expanduser().open("rb") as file:
                key = file.read(_MAX_KEY_BYTES).strip()
        except OSError as error:
            raise UsageError(
                f"cannot read the key file {key_file}: {error.strerror}",
                hint="a file that holds the key of the webhook and nothing else",
                code="bad_key",
            ) from error
        if not key:
            raise UsageError(f"the key file {key_file} is empty", code="bad_key")
    if key and len(key) < MIN_KEY_CHARS:
        raise UsageError(
            f"the key in {place} is too short to sign with",
            hint=f"at least {MIN_KEY_CHARS} characters: openssl rand -hex 32",
            code="bad_key",
        )
    return key
