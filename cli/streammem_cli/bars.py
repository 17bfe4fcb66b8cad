"""Bars on a terminal: who shows progress says which columns they have."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streammem_cli import render

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn


class Drawn:
    """Draws bars while it is entered, where they are wanted and the terminal can. A context."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._bars: RichProgress | None = None
        self._drawing = ExitStack()

    def __enter__(self) -> Self:
        if self._wanted and render.shows_progress():
            bars = new_bars(self._columns())
            # A terminal that cannot move its cursor gets none.
            if bars.console.is_interactive:
                self._bars = bars
                self._begin(bars)
                self._drawing.enter_context(render.below(bars))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drawing.close()

    def _columns(self) -> "Sequence[ProgressColumn]":
        """What a bar consists of; made only where one is drawn, since it takes a while to load."""
        raise NotImplementedError

    def _begin(self, bars: "RichProgress") -> None:
        """What is drawn before anything has been told."""


def new_bars(columns: "Sequence[ProgressColumn]") -> "RichProgress":
    """Bars on standard error that leave nothing behind."""
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    return RichProgress(
        *columns,
        console=Console(stderr=True, no_color=not render.in_color()),
        transient=True,
        redirect_stdout=False,
    )
