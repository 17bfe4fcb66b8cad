"""Finds the data folders `configs/` and `models/`, both installed and in a checkout."""

from pathlib import Path

from streammem.core.errors import MissingError

_PACKAGE = Path(__file__).resolve().parent.parent


def asset_folder(kind: str) -> Path:
    """The folder of `kind` (`configs` or `models`): in the wheel, else beside the package.

    Raises:
        MissingError: neither place has it.
    """
    places = (_PACKAGE / "_assets" / kind, _PACKAGE.parent / kind)
    for place in places:
        if place.is_dir():
            return place
    raise MissingError(
        f"the data folder {kind!r} is not installed; looked in {places[0]} and {places[1]}",
        hint="reinstall streammem",
        code="missing_assets",
    )
