"""The only file that prints: results on standard output, everything else on standard error."""

import importlib
import io
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from streammem.core.budget import format_bytes
from streammem.core.errors import StreamMemError
from streammem.core.timebase import format_time
from streammem_cli.layout import INDENT, counted, escaped_in_json, folded, visible

if TYPE_CHECKING:
    from streammem.core.results import IngestResult
    from streammem.core.types import Answer, Evidence

_TIME_DIGITS = 6
_AS_IT_IS = frozenset({str, int, bool, type(None)})
# To the start of the line, and away with it.
_WIPE = "\r\x1b[K"


class Bars(Protocol):
    """Progress bars on standard error, which stand aside while something else is printed."""

    def start(self) -> None:
        """Draw them, from now on again and again."""

    def stop(self) -> None:
        """Wipe them off."""


@dataclass(slots=True)
class _Terminal:
    """How the command speaks, from its options, and what is drawn at the moment."""

    quiet: bool = False
    verbose: bool = False
    color: bool = True
    bars: Bars | None = None
    writing: bool = False


_terminal = _Terminal()
# The thread that hears Ctrl-C speaks too.
_speaking = threading.RLock()


def speak(*, quiet: bool, verbose: bool, color: bool) -> None:
    """Set how everything below speaks: `-q`, `-v`, `--no-color`."""
    _terminal.quiet, _terminal.verbose, _terminal.color = quiet, verbose, color


def shows_progress() -> bool:
    """Whether there is a terminal for progress, and no wish for silence."""
    return sys.stderr.isatty() and not _terminal.quiet


def in_color() -> bool:
    """Whether colours are wanted."""
    return _terminal.color and not os.environ.get("NO_COLOR")


@contextmanager
def below(bars: Bars) -> Iterator[None]:
    """Draw the bars below everything that is printed in the meantime."""
    with _speaking:
        _terminal.bars = bars
        bars.start()
    try:
        yield
    finally:
        with _speaking:
            _terminal.bars = None
            bars.stop()


def document(data: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    _write(_json(data, indent=2))


def event_line(data: dict[str, Any]) -> None:
    """One JSON event on standard output, at once; a reader that has gone does not end the work."""
    try:
        _write(_json(data))
    except BrokenPipeError:
        close_quietly()


def note(text: str | Callable[[], str]) -> None:
    """A remark on standard error; one that takes some making is made only where it is wanted."""
    if not _terminal.quiet:
        _say(folded(text if isinstance(text, str) else text()), to_error=True)


def detail(text: str) -> None:
    """A remark on standard error for those who asked for more."""
    if _terminal.verbose:
        note(text)


def usage(text: str) -> None:
    """How a command is to be called, on standard error."""
    _say(text.splitlines(), to_error=True)


def error(problem: StreamMemError) -> None:
    """What went wrong and what to do about it, on standard error."""
    # Messages of other libraries may take several lines.
    first, *more = problem.message.split("\n")
    lines = folded(first, "error: ", INDENT)
    for text in more:
        lines += folded(text, " " * INDENT)
    if problem.hint:
        lines += folded(problem.hint, "  try: ")
    _say(lines, to_error=True)


def answer(result: "Answer") -> None:
    """The answer sentence, then the evidence, one line each."""
    lines = []
    if result.text:
        lines += folded(result.text)
    if result.evidence:
        lines += _evidence_lines(result.evidence)
    elif result.candidates:
        lines += ["nearest candidates:", *_evidence_lines(result.candidates)]
    _say(lines)
    for text in result.notes:
        # An abstention's sentence gives them as its reason.
        if text.rstrip(".") not in (result.text or ""):
            note(f"note: {text}")
    times = ", ".join(f"{name} {ms:.0f} ms" for name, ms in result.elapsed_ms.items())
    detail(f"encoder {result.encoder}, {times}")


def writing(characters: int) -> None:
    """How much a language model has written, in a line that goes once anything else is said."""
    _passing(f"writing, {characters} characters")


def indexed(done: int, total: int) -> None:
    """How many memories of a large library were read for its index."""
    _passing(f"reading {done} of {total} memories")


def _passing(text: str) -> None:
    if shows_progress():
        with _speaking:
            _terminal.writing = True
            print(f"\r{text}", end="", file=sys.stderr, flush=True)


def typed(prompt: str) -> Iterator[str]:
    """Lines of standard input to its end; on a terminal behind a prompt, edited and remembered."""
    if sys.stdin is None:
        return
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield from iter(sys.stdin.readline, "")
        return
    with suppress(ImportError):
        importlib.import_module("readline")
    while True:
        try:
            text = input(prompt)
        except EOFError:
            _say([""])
            return
        yield text


def _evidence_lines(items: "Sequence[Evidence]") -> list[str]:
    """Pieces of evidence, best first."""
    lines = []
    for item in items:
        span = f"{format_time(item.start_s)} - {format_time(item.end_s)}"
        lines.append(
            f"  {item.id:<4} {span}  {item.score:4.2f}  {item.memory_id}  "
            f"{item.channel.value} {item.tier.value}"
        )
        if item.thumbnail:
            lines.append(f"       {item.thumbnail}")
    return lines


def ingested(result: "IngestResult") -> None:
    """One source: what it became; a reader that has gone does not end the work on the others."""
    if result.error is not None:
        error(result.error)
        lines = [f"{'failed':<10} {result.source}"]
    else:
        cells, cues = sum(result.cells.values()), sum(result.cues.values())
        held = counted(cells, "cell")
        if cues:
            held += f", {counted(cues, 'cue')}"
        facts = (
            f"{result.memory_id}  {format_time(result.covered_s)}, {held}, "
            f"{format_bytes(result.bytes['file'])} of {format_bytes(result.bytes['budget'])}, "
            f"{result.encoder}, {result.elapsed_s:.1f} s"
        )
        lines = folded(facts, f"{result.status:<10} ")
    for gap in result.gaps:
        span = f"{format_time(gap.start_s)} - {format_time(gap.end_s)}"
        lines += folded(gap.reason, f"  gap {span}: ", 2 * INDENT)
    try:
        _say(lines)
    except BrokenPipeError:
        close_quietly()


def line(text: str) -> None:
    """One line of a result."""
    _say([text])


def lines(texts: Sequence[str]) -> None:
    """Lines of a result, each of which stays one whatever it holds."""
    _say(texts)


def block(text: str) -> None:
    """A text of several lines that is this project's own."""
    _say(text.split("\n"))


def close_quietly() -> None:
    """After the reader of our output has gone: no traceback at exit."""
    _mute(sys.stdout)


def _mute(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(lines: Sequence[str], *, to_error: bool = False) -> None:
    """Lines for human eyes. All text takes this way: what it holds is shown and never obeyed."""
    if lines:
        _write("\n".join(map(visible, lines)), to_error=to_error)


def _write(text: str, *, to_error: bool = False) -> None:
    """Print and flush; progress bars stand aside, whose terminal may be the one written to."""
    with _speaking, _bars_aside():
        if _terminal.writing:
            _terminal.writing = False
            print(_WIPE, end="", file=sys.stderr, flush=True)
        # Only now: while bars are drawn they may stand in for the streams.
        stream = sys.stderr if to_error else sys.stdout
        encoding = stream.encoding or "ascii"
        printable = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            print(printable, file=stream, flush=True)
        except OSError:
            if not to_error:
                raise
            # Remarks that nobody can receive are no reason to stop working.
            _mute(stream)


@contextmanager
def _bars_aside() -> Iterator[None]:
    bars = _terminal.bars
    if bars is None:
        yield
        return
    bars.stop()
    try:
        yield
    finally:
        bars.start()


def _json(data: dict[str, Any], indent: int | None = None) -> str:
    """The text of a document, with escapes where the terminal cannot show a character."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("_", "-")
    text = json.dumps(_clean(data), ensure_ascii=not encoding.startswith("utf"), indent=indent)
    return escaped_in_json(text)


def _clean(value: Any) -> Any:
    """JSON knows neither NaN nor infinity; times end at the microsecond."""
    if isinstance(value, float):
        return round(value, _TIME_DIGITS) if math.isfinite(value) else None
    if isinstance(value, dict):
        # Most values are as they should be: a batch writes thousands of these.
        return {
            str(key): item if type(item) in _AS_IT_IS else _clean(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
