"""How an encoder is named on the command line, in settings and in memories."""

import difflib
import importlib.util
import shlex
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from streammem.core.errors import UsageError
from streammem.encoders.manifest import read_manifests

DESCRIPTOR_ID: Final = "descriptor"
EMBEDDED_ID: Final = "embedded-v1"
EMBEDDED: Final = "embedded"
OPEN_CLIP: Final = "open_clip"
# What comes with streammem, and what each name of it means.
BUILT_IN: Final = {
    DESCRIPTOR_ID: DESCRIPTOR_ID,
    EMBEDDED_ID: EMBEDDED_ID,
    EMBEDDED: EMBEDDED_ID,
}


@dataclass(frozen=True, slots=True)
class EncoderName:
    """A parsed name: `family` is `open_clip` or the id of a built-in encoder without the rest."""

    family: str
    arch: str = ""
    tag: str = ""

    @property
    def id(self) -> str:
        """The name as memories store it."""
        if self.built_in:
            return self.family
        return f"{self.family}:{self.arch}/{self.tag}" if self.tag else f"{self.family}:{self.arch}"

    @property
    def built_in(self) -> bool:
        """Whether it comes with streammem, so that there are no weights to find or pull."""
        return self.family in BUILT_IN

    @property
    def slug(self) -> str:
        """The name as a folder name."""
        return self.id.replace(":", "--").replace("/", "--")


def parse_name(text: str) -> EncoderName:
    """The name that `text` says; `embedded` is the built-in encoder of this version.

    Raises:
        UsageError: no such family or architecture; the hint names the nearest.
    """
    family, _, rest = text.strip().partition(":")
    if not rest and family in BUILT_IN:
        return EncoderName(BUILT_IN[family])
    if family != OPEN_CLIP or not rest:
        raise UsageError(
            f"there is no encoder {text!r}",
            hint=f"expected auto, {EMBEDDED} or {OPEN_CLIP}:ARCH/TAG; see `streammem models list`",
            code="unknown_encoder",
        )
    arch, _, tag = rest.partition("/")
    known = architectures()
    if arch not in known:
        near = difflib.get_close_matches(arch, known, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "see `streammem models list`"
        raise UsageError(
            f"open_clip has no architecture {arch!r}", hint=hint, code="unknown_encoder"
        )
    return EncoderName(OPEN_CLIP, arch, tag)


@lru_cache(maxsize=1)
def architectures() -> tuple[str, ...]:
    """Names of open_clip's model configurations and of our own; open_clip is not imported."""
    found = [manifest.id for manifest in read_manifests() if manifest.kind == "architecture"]
    package = importlib.util.find_spec(OPEN_CLIP)
    for place in (package.submodule_search_locations or ()) if package else ():
        found.extend(path.stem for path in (Path(place) / "model_configs").glob("*.json"))
    return tuple(sorted(found))


def remedy(encoder_id: str, source: str) -> str:
    """What helps where a memory of `source` asks for an encoder that is not on this machine."""
    if encoder_id in BUILT_IN:
        return (
            "it comes with streammem and has changed since: make the memory anew with "
            f"`streammem ingest {shlex.quote(source)} --force`"
        )
    return f"`streammem models pull {encoder_id}`, or name the file with --weights"
