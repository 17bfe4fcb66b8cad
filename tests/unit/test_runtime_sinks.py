"""Sinks against real processes and real servers on loopback: slow ones, dead ones, full ones."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streammem.core.alerts import Alert, SinkChoice
from streammem.core.errors import UsageError
from streammem.runtime.alerting_sinks import UNSIGNED_NOTE, OpenSinks
from streammem.runtime.errands import Errands
from streammem.runtime.sinks import WAITING, CommandSink, alert_body
from streammem.runtime.webhook import (
    ATTEMPTS,
    DELIVERY_HEADER,
    KEY_VARIABLE,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    WebhookSink,
    delivery_id,
    read_webhook_key,
    signature,
)
from tests.unit._receivers import receiving

KEY = b"a key of more than sixteen characters"
ALERT = Alert("door", "a person", "seen", 12.5, 11.0, 9.1, 6.0, 0.4, 0.1)
BODY, MADE_AT = alert_body(ALERT, "door.mp4"), time.time()


def webhook(url: str, notes: list[str], **times: float) -> WebhookSink:
    limits = {"backoff_s": 0.01, "attempt_s": 20.0, "total_s": 40.0} | times
    return WebhookSink(url, KEY, notes.append, **limits)


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait for something that other threads bring about."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.01)


def test_a_webhook_is_signed_over_its_time_and_body() -> None:
    """The receiver can compute the signature; the key itself is nowhere."""
    notes: list[str] = []
    with receiving(lambda _n: 204) as (url, server):
        sink = webhook(url, notes)
        sink.offer(BODY)
        counts = sink.close(30.0)
    headers, body = server.seen[0]

    expected = signature(KEY, headers[TIMESTAMP_HEADER.lower()], body)
    assert headers[SIGNATURE_HEADER.lower()] == f"sha256={expected}"
    assert abs(int(headers[TIMESTAMP_HEADER.lower()]) - time.time()) < 120
    told = json.loads(body)
    assert abs(told.pop("sent_at") - MADE_AT) < 5
    assert told == {"event": "alert", "source": "door.mp4", **ALERT.to_json()}
    assert KEY.decode() not in str(headers)
    assert headers[DELIVERY_HEADER.lower()] == delivery_id(alert_body(ALERT, "door.mp4"))
    assert headers[DELIVERY_HEADER.lower()] != delivery_id(alert_body(ALERT, "gate.mp4"))
    assert (counts.delivered, counts.failed, counts.dropped, counts.problem) == (1, 0, 0, None)
    assert notes == []


def test_what_fails_for_now_is_tried_again_under_the_same_number() -> None:
    """Two times out of order, then accepted: one delivery, recognisable as one."""
    with receiving(lambda n: 503 if n < 3 else 200) as (url, server):
        sink = webhook(url, [])
        sink.offer(BODY)
        until(lambda: sink.counts().delivered == 1)
        sink.close(10.0)

    assert len(server.seen) == 3
    assert len({headers[DELIVERY_HEADER.lower()] for headers, _ in server.seen}) == 1


@pytest.mark.parametrize(("status", "attempts"), [(403, 1), (302, 1), (500, ATTEMPTS)])
def test_a_receiver_that_refuses_is_told_once_and_counted(status: int, attempts: int) -> None:
    """A refusal is final, a redirect is not followed, a broken server is asked a few times."""
    notes: list[str] = []
    with receiving(lambda _n: status) as (url, server):
        sink = webhook(url, notes)
        sink.offer(BODY)
        until(lambda: sink.counts().failed == 1)
        assert len(server.seen) == attempts
        sink.offer(BODY)
        until(lambda: sink.counts().failed == 2)
        sink.close(10.0)

    assert len(notes) == 1
    assert "camera=1" not in notes[0]


def test_a_receiver_that_never_answers_holds_nobody_up() -> None:
    """Offering returns at once, whatever happens behind it; what has no room is counted."""
    notes: list[str] = []
    with receiving(lambda _n: 0) as (url, _server):
        sink = webhook(url, notes, attempt_s=60.0, total_s=100.0)
        started_s = time.monotonic()
        for _ in range(WAITING + 10):
            sink.offer(BODY)
        # One that held its caller up would take as long as the receiver.
        assert time.monotonic() - started_s < 20.0
        counts = sink.close(0.05)

    assert counts.delivered == 0
    assert counts.dropped == WAITING + 10
    assert len(notes) == 1


def test_nobody_listening_is_a_failure_and_no_more() -> None:
    """A port where nothing is."""
    notes: list[str] = []
    sink = webhook("http://127.0.0.1:9/", notes)
    sink.offer(BODY)
    until(lambda: sink.counts().failed == 1)

    assert "nothing listens there" in notes[0]
    sink.close(1.0)


def test_addresses_and_keys_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords in addresses, files that are not there, keys that protect nothing."""
    for url in ("ftp://host/", "http://user:secret@host/", "nonsense"):
        with pytest.raises(UsageError, match="no address of a webhook"):
            WebhookSink(url, b"", print)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    short = tmp_path / "short"
    short.write_text("123\n")
    for place in (str(tmp_path / "absent"), str(short)):
        with pytest.raises(UsageError) as raised:
            read_webhook_key(place)
        assert raised.value.code == "bad_key"
    good = tmp_path / "good"
    good.write_bytes(KEY + b"\n")
    assert read_webhook_key(str(good)) == KEY
    assert read_webhook_key(None) == b""
    monkeypatch.setenv(KEY_VARIABLE, "another key of enough letters")
    assert read_webhook_key(str(good)) == b"another key of enough letters"


def test_a_command_gets_the_alert_on_its_standard_input(tmp_path: Path) -> None:
    """No shell: signs of one arrive as they were written."""
    target = tmp_path / "got; touch $HOME"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    sink = CommandSink([sys.executable, "-c", code, str(target)], print)
    sink.offer(BODY)
    counts = sink.close(60.0)

    assert counts.delivered == 1
    assert target.read_bytes() == BODY + b"\n"


def test_commands_that_fail_are_told_once_with_their_last_words() -> None:
    """Missing programs and bad endings stop nothing."""
    notes: list[str] = []
    failing = [sys.executable, "-c", "import sys; sys.exit('the bell is broken')"]
    sink = CommandSink(failing, notes.append)
    for _ in range(3):
        sink.offer(BODY)
    assert sink.close(60.0).failed == 3
    assert len(notes) == 1
    assert "the bell is broken" in notes[0]

    absent = CommandSink(["/no/such/program"], notes.append)
    absent.offer(BODY)
    assert absent.close(30.0).failed == 1
    assert "cannot be started" in notes[1]


def test_a_command_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """The whole group goes, so that no process is left behind."""
    notes: list[str] = []
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $$ $! > '{pids}'; wait"
    sink = CommandSink(["/bin/sh", "-c", script], notes.append, timeout_s=3.0)
    sink.offer(BODY)
    until(lambda: sink.counts().failed == 1, within_s=60.0)

    assert "took longer" in notes[0]
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: not _is_running(pid))
    sink.close(1.0)


def test_closing_leaves_no_command_behind(tmp_path: Path) -> None:
    """What has not ended when the waiting is over goes with the sink, and counts as dropped."""
    pids = tmp_path / "pids"
    sink = CommandSink(["/bin/sh", "-c", f"echo $$ > '{pids}'; sleep 600"], [].append)
    sink.offer(BODY)
    until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    counts = sink.close(0.05)

    until(lambda: not _is_running(int(pids.read_text())))
    assert counts.dropped == sink.close(0.05).dropped == 1


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        # It may also end between the opening of the file and the reading.
        return False
    return state != "Z"


def test_errands_are_bounded_and_go_on_after_a_failure() -> None:
    """Never more at once than threads, never more waiting than room."""
    gate, lock, running, most = threading.Event(), threading.Lock(), [0], [0]

    def wait() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(30)
        with lock:
            running[0] -= 1

    errands = Errands("test", at_once=2, waiting=3)
    taken = [errands.offer(wait) for _ in range(2)]
    until(lambda: running[0] == 2)
    taken += [errands.offer(wait) for _ in range(5)]

    assert taken == [True] * 5 + [False] * 2
    gate.set()
    assert errands.close(30.0) == 0
    assert most[0] == 2
    assert not errands.offer(wait)


def test_sinks_open_together_and_say_what_became_of_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command, a webhook and the caller all get the alert; one without a key says so."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    heard: list[Alert] = []
    notes: list[str] = []
    target = tmp_path / "got"
    code = (
        f"import sys, pathlib; pathlib.Path({str(target)!r}).write_bytes(sys.stdin.buffer.read())"
    )
    with receiving(lambda _n: 200) as (url, server):
        choice = SinkChoice(((sys.executable, "-c", code),), (url,))
        with OpenSinks(choice, heard.append, notes.append) as sinks:
            sinks.offer(ALERT, "door.mp4")
            counts = sinks.close()
        assert SIGNATURE_HEADER.lower() not in server.seen[0][0]

    assert heard == [ALERT]
    assert notes == [UNSIGNED_NOTE]
    assert [entry["delivered"] for entry in counts] == [1, 1]
    assert json.loads(target.read_bytes())["name"] == "door"
    assert os.environ.get(KEY_VARIABLE) is None
