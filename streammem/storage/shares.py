"""Whether a commit fits its shares of the budget and its bound of the log, before it is written."""

from collections.abc import Iterable

from streammem.core.budget import BudgetPlan, format_bytes
from streammem.core.errors import BudgetError
from streammem.storage.chunks import MAX_SECTIONS, ChunkChanges
from streammem.storage.pages import INDEX_PAGES, cue_charge, thumbnail_charge
from streammem.storage.records import Commit, CommitRecord

# What a commit writes besides chunks, pictures and cues: records, tree pages, full-text index.
_LOG_MARGIN_PAGES = 64
_FRAME_HEADER_BYTES = 24


def check_shares(
    plan: BudgetPlan, commit: Commit, record: CommitRecord, thumbnail_lengths: Iterable[int]
) -> None:
    """Refuse what the plan has no room for.

    Args:
        plan: The shares.
        commit: What is to be written.
        record: The record of that commit.
        thumbnail_lengths: Bytes of each picture that the file will then hold.

    Raises:
        BudgetError: a share is exceeded.
    """
    store_bytes = sum(map(len, commit.sections.values()))
    pictures = sum(thumbnail_charge(length, plan.page_bytes) for length in thumbnail_lengths)
    cue_room = max(0, plan.cue_bytes - INDEX_PAGES * plan.page_bytes)
    if len(commit.sections) > MAX_SECTIONS:
        raise _exceeded(f"{len(commit.sections)} sections", f"{MAX_SECTIONS} of them")
    if store_bytes > plan.store_bytes:
        raise _exceeded(f"{store_bytes} bytes of cells", format_bytes(plan.store_bytes))
    if pictures > plan.thumbnail_bytes:
        raise _exceeded(f"{pictures} bytes of pictures", format_bytes(plan.thumbnail_bytes))
    if commit.cues and record.cue_charge > cue_room:
        raise _exceeded(f"{record.cue_charge} bytes of timed text", format_bytes(cue_room))


def log_bytes(plan: BudgetPlan, changes: ChunkChanges, commit: Commit) -> int:
    """The most that a commit adds to the write-ahead log."""
    page_bytes = plan.page_bytes
    written = sum(len(body) + 2 * page_bytes for _, body in changes.writes)
    written += sum(len(webp) + 2 * page_bytes for webp in commit.thumbnails_added.values())
    written += sum(cue_charge(len(cue.text.encode()), page_bytes) for cue in commit.cues)
    pages = written // page_bytes + _LOG_MARGIN_PAGES
    return pages * (page_bytes + _FRAME_HEADER_BYTES)


def _exceeded(what: str, share: str) -> BudgetError:
    return BudgetError(
        f"a commit holds {what}; their share of the budget is {share}",
        hint="the last commit is intact; raise the budget",
        code="budget_full",
    )
