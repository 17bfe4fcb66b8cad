"""What a terminal is sent: bars and lines that never mix, nothing it would obey, 80 columns."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streammem.core.types import Answer, Channel, Evidence, Tier
from streammem_cli import render
from streammem_cli.layout import folded, visible
from tests.cli.conftest import PATIENCE_S, REPOSITORY, SOURCE, Ran, command, environment

Streammem = Callable[..., Ran]
HOSTILE = "\x1b]0;owned\x07\x1b[2J\rdone\u202e.mp4"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
COMMANDS_WITH_ARGUMENTS = [
    ("ask", "when is it red?"), ("search", "red"), ("ingest", SOURCE), ("batch", "clips"),
    ("list",), ("show", "one"), ("verify",), ("forget", "one"), ("doctor",),
    ("models", "list"), ("config", "show"), ("config", "path"),
]  # fmt: skip
SWITCHES = ("-qv", "--no-color", "--json")


def on_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """All that the command writes when both outputs are one terminal of 80 columns."""
    import fcntl
    import pty
    import struct
    import termios

    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        command(*arguments, "--library", str(folder / "library")),
        env={**environment(), "TERM": "xterm", **variables},
        cwd=folder, stdout=terminal, stderr=terminal, stdin=terminal,
    )  # fmt: skip
    os.close(terminal)
    written = b""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not select.select([screen], [], [], 1)[0]:
            continue
        try:
            written += os.read(screen, 65536)
        except OSError:
            break
    os.close(screen)
    process.wait(timeout=60)
    return written.decode()


def shown(written: str) -> list[str]:
    """The lines that stand on a terminal in the end."""
    lines, row, column = [""], 0, 0
    for text, moved, how in re.findall(r"([^\x1b]+)|\x1b\[([?\d;]*)([A-Za-z])", written):
        if how == "A":
            row -= int(moved or 1)
        elif how == "K":
            lines[row] = "" if moved == "2" else lines[row][:column]
        for character in text:
            if character == "\r":
                column = 0
            elif character == "\n":
                row += 1
                if row == len(lines):
                    lines.append("")
            else:
                lines[row] = f"{lines[row]:<{column}}"
                lines[row] = lines[row][:column] + character + lines[row][column + 1 :]
                column += 1
    return [line.rstrip() for line in lines if line.strip()]


posix = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo terminal")


@posix
def test_bars_stand_below_the_result_lines_and_leave_nothing(tmp_path: Path) -> None:
    """Three sources, one of them bad: three results, each whole on lines of its own."""
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    long = "synthetic:2?duration=600&fps=8&size=96x64"

    written = on_terminal(tmp_path, "ingest", long, "bad.mp4", SOURCE, "-v")

    assert "\u2501" in written, "no bar was drawn"
    assert re.search(r"\d+x", written), "no rate was drawn"
    lines = shown(written)
    results = [line for line in lines if re.match(r"done|failed|error", line)]
    assert [line.split()[0] for line in results] == ["done", "error:", "failed", "done"]
    assert not any("\u2501" in line for line in lines)
    for line in (results[0], results[3]):
        assert re.fullmatch(r"done +synthetic\S*  [\d:.]+, \d+ cells, .*", line), line


@posix
def test_quiet_plain_and_simple_terminals(tmp_path: Path) -> None:
    """-q draws nothing, --no-color and NO_COLOR draw without colours, a dumb one gets no bars."""
    coloured = on_terminal(tmp_path, "ingest", SOURCE)
    plain = on_terminal(tmp_path, "ingest", SOURCE, "--force", "--no-color")
    by_variable = on_terminal(tmp_path, "ingest", SOURCE, "--force", NO_COLOR="1")
    quiet = on_terminal(tmp_path, "ingest", SOURCE, "--force", "-q")
    dumb = on_terminal(tmp_path, "ingest", SOURCE, "--force", TERM="dumb")

    colour = re.compile(r"\x1b\[(3\d|38;[\d;]+)m")
    assert colour.search(coloured)
    assert not colour.search(plain + by_variable)
    assert "\x1b[?25l" in plain
    for calm in (quiet, dumb):
        assert "\x1b" not in calm
        assert "\u2501" not in calm
        assert calm.startswith("done ")


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_file_names_cannot_steer_the_terminal(streammem: Streammem, tmp_path: Path) -> None:
    """Control characters in the name of a good and of a bad file are shown, in JSON escaped."""
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / HOSTILE).write_bytes((REPOSITORY / "samples" / "scenes.mp4").read_bytes())
    (folder / f"bad{HOSTILE}").write_bytes(b"not a video")

    terminal = on_terminal(tmp_path, "ingest", f"clips/bad{HOSTILE}", f"clips/{HOSTILE}", "-v")
    runs = [
        streammem("ingest", f"clips/{HOSTILE}", "-v"),
        streammem("ingest", f"clips/bad{HOSTILE}"),
        streammem("list"),
        streammem("ask", "when does the yellow screen appear?", "-v"),
        streammem("verify"),
        streammem("show", f"no{HOSTILE}"),
    ]
    memory_id = streammem("list", "--json").document()["results"][0]["memory_id"]
    runs.append(streammem("show", memory_id))
    document = streammem("ingest", f"clips/bad{HOSTILE}", "--json")

    assert "\x1b]" not in terminal
    assert "\x1b[2J" not in terminal
    assert "\u202e" not in terminal
    assert [run.status for run in runs] == [0, 8, 0, 0, 0, 2, 0]
    for run in runs:
        assert not OBEYED.search(run.out + run.err), run
    assert r"\x1b]0;owned" in runs[1].out
    assert not OBEYED.search(document.out)
    assert document.document()["results"][0]["source"] == f"clips/bad{HOSTILE}"


def test_texts_of_a_video_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """An answer that quotes a subtitle, and a note about it."""
    item = Evidence(
        id="e1", memory_id="m\x9b2J", source=HOSTILE, start_s=0.0, end_s=1.0, time_s=0.5,
        score=1.0, channel=Channel.SUBTITLE, tier=Tier.WORKING, text=HOSTILE,
        thumbnail=f"pictures/{HOSTILE}",
    )  # fmt: skip
    result = Answer(
        question="?", intent="said", text=f"They say '{HOSTILE}'.", abstained=False,
        confidence=1.0, choice=None, value=None, evidence=(item,), candidates=(),
        encoder="descriptor", answerer="evidence", elapsed_ms={}, notes=(f"heard {HOSTILE}",),
    )  # fmt: skip

    render.answer(result)
    render.event_line({"text": HOSTILE})
    printed = capsys.readouterr()

    assert not OBEYED.search(printed.out + printed.err)
    assert printed.out.count(r"\x1b]0;owned\x07") == 2
    assert r"note: heard \x1b]0;owned" in printed.err


def test_folding_keeps_words_commands_and_every_character() -> None:
    """Lines end at blanks; a command to be copied and a long path stay whole."""
    path = "/very/long/" + "x" * 90
    text = f"{'word ' * 14}then `streammem models pull ID` and {path} {'more ' * 20}end"

    lines = folded(text, "note: ")

    assert " ".join(line.strip() for line in lines) == f"note: {text}"
    assert any("`streammem models pull ID`" in line for line in lines)
    assert all(len(line) <= 80 for line in lines if path not in line)
    assert all(line.startswith("      ") for line in lines[1:])
    assert visible("a\tb") == r"a\tb"


def test_results_and_remarks_keep_to_80_columns(streammem: Streammem, tmp_path: Path) -> None:
    """What people read in a terminal of the usual width; paths are copied and stay whole."""
    sample = str(REPOSITORY / "samples" / "scenes.mp4")
    runs = [
        streammem("ingest", sample, "-v"),
        streammem("ingest", sample, "--name", "again", "--fps", "1", "-v"),
        streammem("ingest", sample, "--fps", "1"),
        streammem("ingest", sample, "--encoder", "open_clip:ViT-B-32/laion2b_s34b_b79k"),
        streammem("ask", "how many times does the green meadow appear?", "-v"),
        streammem("ask", "when does the oscilloscope appear?"),
        streammem("show", "scenes"), streammem("list"), streammem("doctor"),
        streammem("models", "list"), streammem("config", "show", "--origin"),
        streammem("ask", "x", "--at", "soon"), streammem("frobnicate"),
    ]  # fmt: skip

    lines = [line for run in runs for line in (run.out + run.err).splitlines()]
    assert len(lines) > 60
    wide = [line for line in lines if len(line) > 80 and "/" not in line]
    assert wide == []


def test_a_sentence_over_several_memories_names_them(streammem: Streammem) -> None:
    """The same clip twice: every span says where."""
    sample = str(REPOSITORY / "samples" / "scenes.mp4")
    streammem("ingest", sample, "--name", "first")
    streammem("ingest", sample, "--name", "second", "--fps", "1")

    for question in (
        "when does the yellow screen appear?",
        "when does the yellow screen end?",
        "how many times does the green meadow appear?",
        "describe the video",
    ):
        told = streammem("ask", question, "--json").document()
        spans = re.findall(r"from [\d:.]+ to [\d:.]+( in first| in second)?", told["answer"])
        assert spans, told
        assert all(spans), told["answer"]
        alone = streammem("ask", question, "--json", "--in", "first").document()
        assert " in first" not in alone["answer"]


@pytest.mark.parametrize("words", COMMANDS_WITH_ARGUMENTS, ids=" ".join)
def test_switches_mean_the_same_before_and_after_the_command(
    streammem: Streammem, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """`streammem --json list` is `streammem list --json`, for every command and switch."""
    (tmp_path / "clips").mkdir()
    streammem("ingest", SOURCE, "--name", "one")

    before = streammem(*SWITCHES, *words)
    after = streammem(*words, *SWITCHES)
    between = streammem(words[0], *SWITCHES, *words[1:])

    for run in (before, after, between):
        assert (run.status, run.err) == (after.status, "")
        document = run.document()
        assert set(document) == set(after.document())
        assert document["command"].split() == list(words[: len(document["command"].split())])


def test_quiet_and_verbose_decide_about_remarks(streammem: Streammem) -> None:
    """Without either a remark where it helps; -v says more, -q nothing; errors stay."""
    normal, verbose, quiet = streammem("list"), streammem("list", "-v"), streammem("-q", "list")
    failed = streammem("-q", "show", "nobody")

    assert normal.err.startswith("no memory yet in")
    assert verbose.err.startswith("library")
    assert "no memory yet in" in verbose.err
    assert quiet.err == ""
    assert (failed.status, failed.err.startswith("error: ")) == (2, True)


def test_batch_takes_a_range_like_ingest(streammem: Streammem, tmp_path: Path) -> None:
    """--start and --end hold for every video below the folders."""
    (tmp_path / "clips").mkdir()
    sample = (REPOSITORY / "samples" / "scenes.mp4").read_bytes()
    (tmp_path / "clips" / "scenes.mp4").write_bytes(sample)

    ran = streammem("batch", "clips", "--start", "0:10", "--end", "20s", "--json")
    wrong = streammem("batch", "clips", "--start", "soon", "--json")

    (result,) = ran.document()["results"]
    assert (ran.status, result["status"]) == (0, "done")
    assert result["covered_s"] == pytest.approx(10, abs=0.1)
    assert result["frames"]["encoded"] == 20
    assert (wrong.status, wrong.document()["error"]["code"]) == (2, "bad_time")


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="needs bash")
def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    """The script of --show-completion, in a real bash, against the real command."""
    program = tmp_path / "streammem"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m streammem_cli "$@"\n')
    program.chmod(0o755)
    script = """
    eval "$(streammem --show-completion)"
    complete -p streammem
    for line in "streammem in" "streammem ingest --bud" "streammem models p"; do
      COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
      _streammem_completion streammem
      echo "${COMPREPLY[*]}"
    done
    streammem --install-completion >/dev/null
    test -s "$HOME/.bashrc" && echo installed
    """
    variables = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}

    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", script], env={**environment(), **variables},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith("streammem")
    assert lines[1:] == ["ingest", "--budget", "pull", "installed"]
