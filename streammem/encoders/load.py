"""Chooses an encoder by name or by what is on this machine, and loads it, without torch itself."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streammem.core.errors import MissingError, UsageError
from streammem.core.types import RuntimeChoice
from streammem.encoders.base import Encoder
from streammem.encoders.names import BUILT_IN, EMBEDDED, EMBEDDED_ID, EncoderName, parse_name
from streammem.encoders.registry import published
from streammem.encoders.weights import find_weights

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder to use, with which weights file, and why."""

    id: str
    weights: str | None
    reason: str


def choose_encoder(
    requested: str, auto: Sequence[str] = (EMBEDDED,), weights: str = ""
) -> EncoderChoice:
    """The encoder that a request means on this machine.

    Args:
        requested: `auto`, `embedded` or `open_clip:ARCH[/TAG]`.
        auto: What `auto` tries, first to last.
        weights: A checkpoint file for an open_clip encoder, empty for the ones found here.

    Raises:
        UsageError: there is no such encoder, or weights are given to one that takes none.
        MissingError: the weights are not on this machine.
    """
    if requested == AUTO:
        if weights:
            raise UsageError(
                f"--weights {weights} needs an encoder that it belongs to",
                hint="add --encoder open_clip:ARCH",
                code="weights_without_encoder",
            )
        return _choose_automatically(auto)
    name = parse_name(requested)
    if name.built_in:
        if weights:
            raise UsageError(
                f"the encoder {requested!r} takes no weights, but {weights} was given",
                hint="add --encoder open_clip:ARCH, or leave out --weights",
                code="weights_without_encoder",
            )
        return EncoderChoice(name.id, None, "asked for")
    if weights:
        return EncoderChoice(_named_by_file(name, weights).id, weights, "asked for")
    found = find_weights(name)
    if found is None:
        raise _missing_weights(name)
    return EncoderChoice(name.id, str(found.path), f"asked for, weights {found.place}")


def _choose_automatically(auto: Sequence[str]) -> EncoderChoice:
    passed: list[str] = []
    for candidate in auto:
        name = parse_name(candidate)
        if name.built_in:
            before = "no weights of another encoder of the list `encoders.auto` are here"
            return EncoderChoice(name.id, None, "; ".join([*passed, before]))
        found = find_weights(name)
        entry = published(name.id)
        if found and entry and entry.needs and importlib.util.find_spec(entry.needs) is None:
            passed.append(f"{name.id} is here but needs the package {entry.needs}")
        elif found:
            reason = f"first of the list `encoders.auto` whose weights are here ({found.place})"
            return EncoderChoice(name.id, str(found.path), "; ".join([*passed, reason]))
    return EncoderChoice(
        BUILT_IN[EMBEDDED], None, "; ".join([*passed, "none of the list `encoders.auto` is here"])
    )


def load_encoder(
    choice: EncoderChoice | str,
    *,
    weights: str | None = None,
    device: str = "auto",
    runtime: RuntimeChoice | None = None,
) -> Encoder:
    """The encoder of a choice or of an id that a memory stores, ready to use.

    Args:
        choice: What `choose_encoder` returned, or an id.
        weights: A checkpoint file; None for what the choice says, else for the ones found here.
        device: `auto`, `cpu`, `cuda` or `cuda:N`; only read where `runtime` is not given. The
            built-in encoders run on the processor, whatever there is besides.
        runtime: How it ran when the memory was made; None to choose by a short self-timing.

    Raises:
        UsageError: there is no such encoder.
        MissingError: weights, a package or the device are not on this machine.
    """
    if isinstance(choice, EncoderChoice):
        weights = weights or choice.weights
        choice = choice.id
    name = parse_name(choice)
    if name.built_in:
        if runtime is None:
            _check_device(device)
        return _load_built_in(name, runtime)
    if weights:
        path = Path(weights)
        name = _named_by_file(name, weights)
    else:
        found = find_weights(name)
        if found is None:
            raise _missing_weights(name)
        path = found.path
    if not path.is_file():
        raise MissingError(
            f"the weights file {weights} does not exist",
            hint="check the path given to --weights",
            code="missing_weights",
        )
    from streammem.encoders._open_clip import load_open_clip

    return load_open_clip(name, path, device=device, runtime=runtime)


def _load_built_in(name: EncoderName, runtime: RuntimeChoice | None) -> Encoder:
    if name.family == EMBEDDED_ID:
        from streammem.encoders._embedded import EmbeddedEncoder

        return EmbeddedEncoder(runtime)
    from streammem.encoders._descriptor import DescriptorEncoder

    return DescriptorEncoder(runtime)


def _check_device(device: str) -> None:
    """Refuse a device that is not here; those that run on the processor need no other."""
    if device not in ("auto", "cpu"):
        from streammem.encoders._devices import resolve_device

        resolve_device(device)


def _named_by_file(name: EncoderName, weights: str) -> EncoderName:
    """A name without a tag takes the file's stem; a stated tag stays: it names preprocessing."""
    return name if name.tag else replace(name, tag=Path(weights).stem)


def _missing_weights(name: EncoderName) -> MissingError:
    if not name.tag:
        known = f"`streammem models pull {name.id}/TAG` and name the tag too"
        return MissingError(
            f"{name.id} does not say which weights",
            hint=f"add --weights FILE, or {known}; see `streammem models list`",
            code="missing_weights",
        )
    return MissingError(
        f"the weights of {name.id} are not on this machine",
        hint=f"run `streammem models pull {name.id}`, or add --weights FILE",
        code="missing_weights",
    )


def describe_devices() -> str:
    """What `device` `auto` means here, in words; loads torch."""
    from streammem.encoders._devices import describe_device

    return describe_device()
