"""`streammem compact`: keep a library within an age and a size."""

from typing import Annotated

import typer

from streammem.core.budget import parse_bytes
from streammem.core.keeping import CompactRequest, parse_age
from streammem_cli import documents, options, render
from streammem_cli.keeping_lines import compact_lines


@options.common
def compact(
    keep: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove memories older than 30d, 12h, 2w ...")
    ] = None,
    quota: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the oldest until the library is this small."),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(metavar="MEMORY", help="Keep it whatever its age; may be repeated."),
    ] = None,
    unpin: Annotated[
        list[str] | None,
        typer.Option(metavar="MEMORY", help="No longer keep it; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Remove memories by age and size. Gives free pages of the others back.

    \b
    Examples:
      streammem compact
      streammem compact --keep 30d --dry-run
      streammem compact --keep 30d --quota 10GiB
      streammem compact --pin lecture

    Pinned memories stay, and so does one that is being written. The videos are never touched.
    """
    from streammem.upkeep import compact as clean_up

    opened, _ = options.open_library(library)
    request = CompactRequest(
        keep_s=None if keep is None else parse_age(keep),
        quota_bytes=None if quota is None else parse_bytes(quota),
        pin=tuple(pin or ()),
        unpin=tuple(unpin or ()),
    )
    result = clean_up(opened, request, remove=not dry_run)
    if json:
        render.document(documents.results_document("compact", result.memories))
        return
    render.block("\n".join(compact_lines(result, dry_run=dry_run)))
    if dry_run:
        render.note("nothing was changed; leave --dry-run out to do it")
