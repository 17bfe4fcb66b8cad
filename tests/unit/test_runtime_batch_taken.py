"""What is known of a worker that is gone before it could tell what it had begun."""

from pathlib import Path

import pytest

from streammem.runtime.batch.taken import Heard, TakenMark


@pytest.mark.parametrize(
    ("heard", "missing"),
    [
        (["taken", "event", "result"] * 2 + ["taken", "event"], []),
        (["taken", "event", "result"] * 2, ["taken"]),
        (["taken", "result", "taken", "event"], ["unheard", "taken"]),
        (["taken", "interrupted"], ["taken", "unheard", "taken"]),
        ([], ["taken", "unheard", "taken", "unheard", "taken"]),
    ],
)
def test_what_did_not_come_through_is_known(
    tmp_path: Path, heard: list[str], missing: list[str]
) -> None:
    """A worker that took up three sources and is gone, whatever was heard of it."""
    mark, ears = TakenMark(tmp_path / "taken-1"), Heard()
    for _ in range(3):
        mark.add()
    for kind in heard:
        ears.hear(kind)

    assert ears.missing(tmp_path / "taken-1") == missing
    assert ears.missing(tmp_path / "taken-1") == []


def test_a_worker_that_never_began_misses_nothing(tmp_path: Path) -> None:
    """Nor one whose file is on another machine."""
    assert Heard().missing(tmp_path / "taken-1") == []
    TakenMark(tmp_path / "taken-2")
    assert Heard().missing(tmp_path / "taken-2") == []
