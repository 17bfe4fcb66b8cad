"""Whether a commit fits its shares of the budget and its bound of the log, before it is written."""

from collections.abc import Iterable

from streammem.core.budget import BudgetPlan, format_bytes
from streammem.core.errors import BudgetError
from streammem.storage.chunks import MAX_SECTIONS, ChunkChanges
from streammem.storage.cue_cost import size_of
from streammem.storage.pages import row_charge, thumbnail_charge
from streammem.storage.records import Commit

# What a commit writes besides chunks, pictures and cues: records, tree pages, full-text index.
_LOG_MARGIN_PAGES = 64
_FRAME_HEADER_BYTES = 24


def check_shares(
    plan: BudgetPlan, commit: Commit, cue_bytes: int, thumbnail_lengths: Iterable[int]
) -> None:
    """Refuse what the plan has no room for.

    Args:
        plan: The shares.
        commit: What is to be written.
        cue_bytes: What all cues of the file will then cost.
        thumbnail_lengths: Bytes of each picture that the file will then hold.

    Raises:
        BudgetError: a share is exceeded.
    """
    store_bytes = sum(map(len, commit.sections.values()))
    pictures = sum(thumbnail_charge(length, plan.page_bytes) for length in thumbnail_lengths)
    timed_text = cue_bytes
    for state in (commit.listening, commit.word_tally):
        timed_text += row_charge(len(state), plan.page_bytes) if state else 0
    if len(commit.sections) > MAX_SECTIONS:
        raise _exceeded(f"{len(commit.sections)} sections", f"{MAX_SECTIONS} of them")
    if store_bytes > plan.store_bytes:
        raise _exceeded(f"{store_bytes} bytes of cells", format_bytes(plan.store_bytes))
    if pictures > plan.thumbnail_bytes:
        raise _exceeded(f"{pictures} bytes of pictures", format_bytes(plan.thumbnail_bytes))
    if timed_text > plan.cue_bytes and (commit.cues or commit.listening or commit.word_tally):
        raise _exceeded(f"{timed_text} bytes of timed text", format_bytes(plan.cue_bytes))


def log_bytes(plan: BudgetPlan, changes: ChunkChanges, commit: Commit) -> int:
    """The most that a commit adds to the write-ahead log."""
    page_bytes = plan.page_bytes
    written = sum(len(body) + 2 * page_bytes for _, body in changes.writes)
    written += sum(len(webp) + 2 * page_bytes for webp in commit.thumbnails_added.values())
    for size in (size_of(row, page_bytes) for row in commit.cues):
        written += size.cell_bytes + size.overflow_pages * page_bytes + size.index_bytes
    written += len(commit.listening) + len(commit.word_tally)
    pages = written // page_bytes + _LOG_MARGIN_PAGES
    return pages * (page_bytes + _FRAME_HEADER_BYTES)


def _exceeded(what: str, share: str) -> BudgetError:
    return BudgetError(
        f"a commit holds {what}; their share of the budget is {share}",
        hint="the last commit is intact; raise the budget",
        code="budget_full",
    )
