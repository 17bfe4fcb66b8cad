"""`streammem chat`: talks through a pipe and on a terminal, in text and in JSON lines."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE_S, REPOSITORY, Ran, command, environment

Streammem = Callable[..., Ran]
SCENES = REPOSITORY / "samples" / "scenes.mp4"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that remembers the sample clip."""
    folder = tmp_path_factory.mktemp("library")
    arguments = ["ingest", str(SCENES), "--no-audio", "--no-ocr", "-q", "--library", str(folder)]
    subprocess.run(command(*arguments), env=environment(), check=True, capture_output=True)
    return folder


def talk(library: Path, *lines: str, options: tuple[str, ...] = ()) -> Ran:
    """What comes out where the lines are piped in."""
    done = subprocess.run(
        command("chat", "--library", str(library), *options),
        input="".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"),
        env=environment(),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_follow_ups_are_answered_as_ask_answers(library: Path) -> None:
    """A line is a question; the times of one answer are those that the next one is about."""
    ran = talk(
        library,
        "When does the yellow screen appear?",
        "",
        "and after that?",
        "how long was it?",
        "/quit",
        "never asked",
    )

    assert ran.status == 0
    answers = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert answers == [
        "'the yellow screen' is seen from 00:00:15.500 to 00:00:19.500.",
        "At 00:00:19.500: black and white, high contrast, still (from 00:00:19.500 to",
        "3.000 s are covered, from 00:00:19.500 to 00:00:22.500.",
    ]
    assert "read as: what is seen at 00:00:19.500?" in ran.err
    assert "Traceback" not in ran.err


def test_jsonl_is_one_ask_document_a_line(library: Path) -> None:
    """Errors are lines too, and the talk goes on behind them."""
    ran = talk(
        library,
        "How many times does the green meadow appear?",
        "the second time?",
        "/in nowhere",
        "/in scenes",
        "when does the yellow screen appear?",
        "\udcff\udcfe when?",
        options=("--jsonl",),
    )
    counted, second, error, third, _noise = map(json.loads, ran.out.splitlines())

    assert ran.status == 3
    assert (counted["command"], counted["value"], counted["answerer"]) == ("ask", 2, "evidence")
    assert second["question"] == "the second time?"
    assert second["notes"][0] == "read as: when is the second time the green meadow is seen?"
    # The room that the second look leaves itself.
    (span,) = [(item["start_s"], item["end_s"]) for item in second["evidence"]]
    assert span == pytest.approx((30.0, 34.0), abs=0.5)
    assert error["error"]["code"] == "unknown_memory"
    assert third["evidence"][0]["memory_id"] == "scenes"


def test_the_status_says_whether_questions_failed(library: Path, tmp_path: Path) -> None:
    """An empty library ends at once; where every line failed, the first failure counts."""
    assert talk(tmp_path / "none", "when?").status == 2
    assert talk(library, "/in nowhere").status == 2
    assert talk(library, "/nonsense").status == 2
    assert talk(library, "when is it red?", options=("--in", "nowhere")).status == 2
    assert talk(library).status == 0


def test_help_says_what_there_is(library: Path) -> None:
    """The commands of the talk are told on standard error."""
    ran = talk(library, "/help")

    assert (ran.status, ran.out) == (0, "")
    assert all(word in ran.err for word in ("/in", "/help", "/quit", "and after that?"))


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, library: Path, *, deaf: bool = False) -> None:
        self._end, other = pty.openpty()
        # What a shell does to its background jobs, and what they start inherits.
        ignored = "trap '' INT; " if deaf else ""
        self.process = subprocess.Popen(
            ["sh", "-c", f'{ignored}exec "$@"', "sh", *command("chat", "--library", str(library))],
            env={**environment(), "TERM": "dumb"},
            stdin=other, stdout=other, stderr=other, start_new_session=True,
        )  # fmt: skip
        os.close(other)
        self.shown = ""

    def wait_for(self, text: str, times: int = 1) -> None:
        """Read until a text is shown so many times."""
        give_up_at = time.monotonic() + 60.0
        while self.shown.count(text) < times:
            assert time.monotonic() < give_up_at, self.shown
            if not self._read():
                break
        assert self.shown.count(text) >= times
        # The prompt is written a moment before keys and signals are listened for.
        time.sleep(0.5)

    def _read(self) -> bool:
        """Take in what is shown within a moment; whether the terminal is still there."""
        if select.select([self._end], [], [], 0.1)[0]:
            try:
                self.shown += os.read(self._end, 4096).decode("utf-8", "replace")
            except OSError:
                return False
        return True

    def type(self, keys: str) -> None:
        """What a hand would type."""
        os.write(self._end, keys.encode())

    def interrupt(self) -> None:
        """Ctrl-C, again every few seconds until it is heard.

        Python hears none that comes between the prompt and its waiting for a key. One that comes
        while it ends is another matter, so that it gets the time to.
        """
        self._until_it_ends(lambda: self.process.send_signal(signal.SIGINT))

    def leave(self) -> None:
        """Ctrl-D, again every few seconds: keys are lost while the terminal changes its ways."""
        self._until_it_ends(lambda: self.type("\x04"))

    def _until_it_ends(self, do: Callable[[], None]) -> None:
        give_up_at = time.monotonic() + 60.0
        while self.process.poll() is None and time.monotonic() < give_up_at:
            do()
            next_at = time.monotonic() + 5.0
            while self.process.poll() is None and time.monotonic() < next_at:
                self._read()

    def status(self) -> int:
        """The exit code, once it has ended; what it still said is shown."""
        give_up_at = time.monotonic() + 60.0
        while self._read() and time.monotonic() < give_up_at:
            continue
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self._end)


def test_a_terminal_shows_a_prompt_and_ctrl_d_ends(library: Path) -> None:
    """Answers stand between the prompts."""
    terminal = Terminal(library)
    terminal.wait_for("? ")
    terminal.type("when does the yellow screen appear?\n")
    terminal.wait_for("? ", 2)
    assert "00:00:19.500" in terminal.shown
    terminal.leave()

    assert terminal.status() == 0


@pytest.mark.parametrize("deaf", [False, True])
def test_ctrl_c_ends_without_a_traceback(library: Path, deaf: bool) -> None:
    """The status is that of an interrupted command, however the command was started."""
    terminal = Terminal(library, deaf=deaf)
    terminal.wait_for("? ")
    terminal.interrupt()

    assert terminal.status() == 130
    assert "Traceback" not in terminal.shown
