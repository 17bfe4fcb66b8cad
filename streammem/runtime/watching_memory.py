"""The memory that a watch writes: which one it goes on with, and how a new one begins."""

import hashlib
import time
import uuid

from streammem import __version__
from streammem.core.errors import UsageError
from streammem.core.results import IngestRequest
from streammem.core.types import Channel
from streammem.core.watches import LIVE
from streammem.encoders.base import Encoder
from streammem.encoders.load import EncoderChoice
from streammem.memory.registry import choose_policy
from streammem.runtime.ingestion import LIVE_NOTE, reason_to_store
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import read_meta
from streammem.storage.records import MemoryMeta
from streammem.video.discover import SourceKind, kind_of, local_path
from streammem.video.identity import redact, source_stem
from streammem.video.live_source import STDIN

_CHANNELS = (Channel.VISION.value, Channel.METADATA.value)
_UNNAMED = "stream"


def find_memory(library: LibraryFolder, request: IngestRequest, identity: str) -> str | None:
    """The memory to go on with, None to begin one.

    Raises:
        UsageError: the one named is of another source or has other settings, or the policy that
            is asked for does not exist.
    """
    choose_policy(request.policy)
    if request.name is not None:
        library.check_name(request.name)
        found = request.name if request.name in library.ids() else None
    else:
        found = library.find(identity)
    if found is None:
        return None
    problem = _difference(read_meta(library.path_of(found)).meta, identity, request)
    if problem is not None:
        raise UsageError(
            f"{found!r} is already a memory {problem}",
            hint="give another --name, or forget it first",
            code="settings_differ",
        )
    return found


def new_meta(
    memory_id: str,
    source: str,
    request: IngestRequest,
    encoder: Encoder,
    *,
    choice: EncoderChoice,
    recorded_at: float,
) -> MemoryMeta:
    """The settings of a new memory; `recorded_at` is Unix seconds of its time 0."""
    local = kind_of(source) is SourceKind.FILE
    return MemoryMeta(
        memory_id=memory_id,
        fingerprint=identity_of(source, request.name),
        source=redact(source),
        source_path=str(local_path(source).resolve()) if local else None,
        fps=request.fps,
        start_s=None,
        end_s=None,
        policy=request.policy,
        budget_bytes=request.budget_bytes,
        channels=_CHANNELS,
        encoder=encoder.spec,
        weights_hint=choice.weights,
        runtime=encoder.runtime,
        reader={LIVE: True},
        created_at=time.time(),
        recorded_at=recorded_at,
        version=__version__,
        perception={"encoder_choice": reason_to_store(choice), "notes": [LIVE_NOTE]},
    )


def identity_of(source: str, name: str | None) -> str:
    """What makes a live source the same source: where it is, never what it happens to show.

    Standard input is the same only under the same name.
    """
    if source == STDIN:
        what = f"stdin\0{name or uuid.uuid4().hex}"
    elif kind_of(source) is SourceKind.FILE:
        what = f"file\0{local_path(source).resolve()}"
    else:
        what = f"url\0{redact(source)}"
    return hashlib.sha256(f"live\0{what}".encode("utf-8", "surrogatepass")).hexdigest()


def stem_of(source: str) -> str:
    """The name for the memory of a live source."""
    return _UNNAMED if source == STDIN else source_stem(source)


def _difference(meta: MemoryMeta, identity: str, request: IngestRequest) -> str | None:
    """What keeps a watch from going on with a memory, in words; None if nothing."""
    if meta.fingerprint != identity or not meta.reader.get(LIVE):
        return "of another source"
    asked = {
        "fps": (meta.fps, request.fps),
        "policy": (meta.policy, request.policy),
        "budget": (meta.budget_bytes, request.budget_bytes),
    }
    changed = [f"{name} {old}, not {new}" for name, (old, new) in asked.items() if old != new]
    return f"of this source with other settings ({'; '.join(changed)})" if changed else None


def check_same_weights(meta: MemoryMeta, encoder: Encoder) -> None:
    """Refuse to go on with vectors of another encoder."""
    if encoder.spec.digest != meta.encoder.digest:
        raise UsageError(
            f"{meta.memory_id!r} was begun with other weights of {meta.encoder.id}",
            hint="watch into another memory: --name NAME",
            code="settings_differ",
        )
