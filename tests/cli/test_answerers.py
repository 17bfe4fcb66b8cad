"""`ask --answerer`: what reaches the terminal, and the exit codes where a model fails."""

import contextlib
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE_S, SOURCE, Ran, command, environment
from tests.unit import _chat_servers as chat

QUESTION = "what is on screen at 0:05?"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with a rendered stream."""
    folder = tmp_path_factory.mktemp("library")
    arguments = ["ingest", SOURCE, "--name", "clip", "-q", "--library", str(folder)]
    subprocess.run(command(*arguments), env=environment(), check=True, capture_output=True)
    return folder


def ask(library: Path, answerer: str, *options: str, **variables: str) -> Ran:
    """`streammem ask` in somebody's words."""
    done = subprocess.run(
        command("ask", QUESTION, "--library", str(library), "--answerer", answerer, *options),
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_checked_words_alone_reach_standard_output(library: Path) -> None:
    """The claim with evidence is printed with its time; the others are counted in a note."""
    written = "It is a shape [e1]. It explodes at 0:59 [e1]. A dog barks [e8]."
    with chat.serving(chat.says(written)) as server:
        ran = ask(library, f"openai:{server.address}#m", STREAMMEM_OPENAI_KEY="sk-secret")
        assert server.asked[0].headers["Authorization"] == "Bearer sk-secret"

    assert ran.status == 0
    assert ran.out.startswith("It is a shape [e1 00:00:0")
    assert "explodes" not in ran.out + ran.err
    assert "dog" not in ran.out + ran.err
    assert "2 sentences of" in ran.err
    assert "sk-secret" not in ran.out + ran.err
    assert "writing" not in ran.err


@pytest.mark.parametrize(
    "behaviour",
    [chat.sends(b"<html>", "text/html"), chat.hangs_up, chat.streams(chat.events("x", done=False)),
     chat.sends(b"", status=500), chat.never_answers],
)  # fmt: skip
def test_a_bad_server_costs_neither_the_answer_nor_the_exit_code(library: Path, behaviour) -> None:
    """The evidence answer is a good answer: 0, with a note on standard error."""
    plain = ask(library, "evidence")
    started_at = time.monotonic()
    with chat.serving(behaviour) as server:
        ran = ask(library, f"openai:{server.address}#m", STREAMMEM_ANSWER_TIMEOUT_SECONDS="2")

    assert (ran.status, ran.out) == (0, plain.out)
    assert "this is the evidence answer" in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert time.monotonic() - started_at < 60.0


def test_the_document_says_who_worded_it(library: Path) -> None:
    """`answerer` is who wrote the words, so that it is the built-in one after a failure."""
    with chat.serving(chat.says("It is a shape [e1].")) as server:
        name = f"openai:{server.address}#m"
        good = ask(library, name, "--json").document()
    with chat.nobody() as address:
        down = ask(library, f"openai:{address}#m", "--json").document()

    assert (good["answerer"], down["answerer"]) == (name, "evidence")
    assert good["evidence"] == down["evidence"]
    assert good["value"] == down["value"]
    assert any("nothing listens there" in note for note in down["notes"])


@pytest.mark.parametrize(
    ("answerer", "status", "words"),
    [
        ("somebody", 2, "unknown answerer"),
        ("openai:not-a-url", 2, "no address of a server"),
        ("openai:http://me:secret@host/v1", 2, "must not hold a user name"),
        ("transformers:/nowhere", 2, "there is no folder"),
        ("transformers:/", 5, "holds no model"),
    ],
)
def test_what_cannot_be_an_answerer_is_refused(
    library: Path, answerer: str, status: int, words: str
) -> None:
    """With a hint, and without the password that was typed."""
    ran = ask(library, answerer)

    assert (ran.status, ran.out) == (status, "")
    assert words in " ".join(ran.err.split())
    assert "try:" in ran.err
    assert "secret" not in ran.err


def test_a_terminal_shows_how_much_is_written_and_never_what(library: Path) -> None:
    """The line goes when the checked answer comes."""

    def slowly(handler: chat.Handler, _seen: chat.Seen) -> None:
        handler.begin()
        for at in range(0, len(written), 40):
            handler.wfile.write(chat.events(written[at : at + 40], done=False))
            time.sleep(0.05)
        handler.wfile.write(chat.events(""))

    written = "It is a shape [e1]. SECRET PLANS are made at 0:59. " * 3
    end, other = pty.openpty()
    with chat.serving(slowly) as server:
        process = subprocess.Popen(
            command("ask", QUESTION, "--library", str(library), "--answerer",
                    f"openai:{server.address}#m"),
            env=environment(), stdin=other, stdout=other, stderr=other, start_new_session=True,
        )  # fmt: skip
        os.close(other)
        shown = b""
        with contextlib.suppress(OSError):
            while piece := os.read(end, 4096):
                shown += piece
        os.close(end)
        status = process.wait(60)
    text = shown.decode()

    assert status == 0
    assert re.search(r"\rwriting, \d+ characters", text)
    assert "\r\x1b[KIt is a shape [e1 00:00:0" in text
    assert "SECRET" not in text
