"""The files that may lie beside a memory, and which of them go when it does."""

from pathlib import Path


def side_files(path: Path) -> list[Path]:
    """Files that SQLite, or an interrupted `create`, may leave beside a memory."""
    sides = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")]
    return [*sides, unfinished_path(path)]


def remove_side_files(path: Path) -> None:
    """Remove what lies beside a memory that is not there; the caller holds its lock."""
    for file in side_files(path):
        file.unlink(missing_ok=True)


def unfinished_path(path: Path) -> Path:
    """Where a memory is written until it is whole."""
    return path.with_name(f".{path.name}.new")
