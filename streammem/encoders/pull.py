"""Fetches published weights when the user asks for it; the only file that reaches the network."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammem.core.errors import MissingError, UsageError
from streammem.encoders.digests import file_digest
from streammem.encoders.manifest import read_manifests
from streammem.encoders.names import EncoderName, parse_name
from streammem.encoders.registry import PUBLISHED, Published, published
from streammem.encoders.weights import (
    PULL_RECORD,
    find_weights,
    pull_folder,
    read_pull_record,
)

if TYPE_CHECKING:
    from huggingface_hub.utils import tqdm as HubProgress

OnProgress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be used or pulled. `where` is its file or folder, None if not here."""

    id: str
    licence: str
    summary: str
    available: bool
    where: str | None
    repository: str | None = None


def list_models() -> tuple[ModelEntry, ...]:
    """The models that come with streammem, then those that can be pulled."""
    shipped = [
        ModelEntry(manifest.id, manifest.licence, manifest.summary, True, str(manifest.folder))
        for manifest in read_manifests()
        if manifest.kind == "embedded"
    ]
    pullable = []
    for entry in PUBLISHED:
        found = find_weights(parse_name(entry.id))
        where = str(found.path) if found else None
        pullable.append(
            ModelEntry(
                entry.id, entry.licence, entry.summary, where is not None, where, entry.repository
            )
        )
    return (*shipped, *pullable)


def pull(model_id: str, on_progress: OnProgress = lambda done, total: None) -> Path:
    """Fetch the weights of a model into the user's cache and return their path.

    A model that is complete there is only checked against its recorded digest. `on_progress`
    hears bytes done and in total, None while unknown.

    Raises:
        UsageError: no such model, or one that has nothing to pull.
        MissingError: the hub cannot be reached, lacks the file, or sent other bytes than it says.
    """
    name = parse_name(model_id)
    if name.built_in:
        raise UsageError(
            f"{model_id!r} comes with streammem, there is nothing to pull",
            hint=f"use it with --encoder {model_id}",
            code="nothing_to_pull",
        )
    folder = pull_folder(name)
    record = read_pull_record(folder)
    if record is not None:
        path = folder / str(record["file"])
        if path.is_file() and file_digest(path) == record["sha256"]:
            return path
        # The hub's client trusts the age of a file that it once fetched, so a damaged one must go.
        path.unlink(missing_ok=True)
        (folder / PULL_RECORD).unlink()
    source = _source(name)
    path, sha256 = _fetch_weights(source, folder, on_progress)
    _check(path, sha256, source)
    _fetch_extras(source, folder)
    written = {"file": path.name, "sha256": sha256, "repository": source.repository}
    (folder / PULL_RECORD).write_text(json.dumps(written, indent=1), encoding="utf-8")
    return path


def _source(name: EncoderName) -> Published:
    entry = published(name.id)
    if entry is None:
        known = [known.id for known in PUBLISHED if known.id.startswith(f"open_clip:{name.arch}/")]
        listed = f"; known for this architecture: {', '.join(known)}" if known else ""
        raise UsageError(
            f"{name.id} is not in the list of models that can be pulled{listed}",
            hint="see `streammem models list`, or download the checkpoint and use --weights FILE",
            code="unknown_model",
        )
    return entry


def _fetch_weights(source: Published, folder: Path, on_progress: OnProgress) -> tuple[Path, str]:
    """The first weights file that the repository has, and the digest that the hub states."""
    from huggingface_hub.errors import EntryNotFoundError

    for file in source.weights:
        try:
            sha256 = _stated_digest(source, file)
            return _fetch(source, file, folder, on_progress), sha256
        except EntryNotFoundError:
            continue
    raise MissingError(
        f"{source.repository} has none of the files {', '.join(source.weights)}",
        hint="see the repository's page, or use --weights FILE",
        code="missing_weights",
    )


def _fetch_extras(source: Published, folder: Path) -> None:
    from huggingface_hub.errors import EntryNotFoundError

    for file in source.extras:
        try:
            _fetch(source, file, folder, lambda done, total: None)
        except EntryNotFoundError:
            continue


def _stated_digest(source: Published, file: str) -> str:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with _translated(source):
        metadata = get_hf_file_metadata(hf_hub_url(source.repository, file))
    return str(metadata.etag or "")


def _fetch(source: Published, file: str, folder: Path, on_progress: OnProgress) -> Path:
    from huggingface_hub import hf_hub_download

    with _translated(source):
        return Path(
            hf_hub_download(
                source.repository, file, local_dir=folder, tqdm_class=_progress(on_progress)
            )
        )


def _check(path: Path, sha256: str, source: Published) -> None:
    found = file_digest(path)
    if found != sha256:
        path.unlink()
        raise MissingError(
            f"{source.repository} sent {path.name} with digest {found[:12]}, it states "
            f"{sha256[:12] or 'none'}; the file was removed",
            hint="pull again; if it stays so, the hub or a proxy in between is faulty",
            code="digest_mismatch",
        )


def _progress(on_progress: OnProgress) -> "type[HubProgress]":
    """A progress bar that draws nothing and reports to a callback."""
    from huggingface_hub.utils import tqdm

    class _Reporting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            self._done = int(options.get("initial") or 0)
            self._all = options.get("total")
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self._done += int(n or 0)
            on_progress(self._done, self._all)
            return None

    return _Reporting


@contextmanager
def _translated(source: Published) -> Iterator[None]:
    """Turns what the hub's client raises into our error with the remedy; passes 404 of a file."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        hint = "accept the model's terms on its page and log in to the hub"
        raise _cannot_fetch(source, error, hint, "hub_refused") from error
    except RepositoryNotFoundError as error:
        hint = "check HF_ENDPOINT, or use --weights FILE"
        raise _cannot_fetch(source, error, hint, "hub_refused") from error
    except (HTTPError, OSError) as error:
        missing_file = isinstance(error, EntryNotFoundError)
        if missing_file and not isinstance(error, LocalEntryNotFoundError):
            raise
        hint = "connect to the network (HF_HUB_OFFLINE must be unset), or use --weights FILE"
        raise _cannot_fetch(source, error, hint, "hub_unreachable") from error


def _cannot_fetch(source: Published, error: Exception, hint: str, code: str) -> MissingError:
    first_line = (str(error).strip() or repr(error)).splitlines()[0]
    return MissingError(f"cannot fetch {source.repository}: {first_line}", hint=hint, code=code)
