"""Copies the cells of a published policy into a snapshot: the one place that makes it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Tier
from streammem.memory.keys import CodedKeys
from streammem.memory.published.stretches import Intake
from streammem.memory.published.table import LONG_TERM, WORKING, CellTable
from streammem.memory.snapshot import MemorySnapshot

_NAMES = {WORKING: Tier.WORKING, LONG_TERM: Tier.LONG_TERM}


def take_snapshot(table: CellTable, intake: Intake) -> MemorySnapshot:
    """All cells, and the open stretch as the working cell that it would be if it ended now."""
    cells = _columns(table)
    spans = _spans(table)
    if intake.open.frames:
        cells, spans = _with_open(table, intake, cells, spans)
    order = np.lexsort((cells["ids"], cells["start_s"]))
    by_span = np.lexsort((spans["span_cell"], spans["span_start_s"]))
    tiers = cells.pop("tier")[order].tolist()
    codes, square_sum = cells.pop("key_codes")[order], cells.pop("key_square_sum")[order]
    columns: dict[str, Any] = {name: column[order] for name, column in cells.items()}
    columns |= {name: column[by_span] for name, column in spans.items()}
    return MemorySnapshot(
        tiers=tuple(_NAMES[tier] for tier in tiers),
        now_s=intake.clock.end_s,
        key_set=CodedKeys(table.code, codes, square_sum),
        token_cell=np.zeros(0, np.int64),
        token_codes=np.zeros((0, table.code.dim), np.uint8),
        **columns,
    )


def _columns(table: CellTable) -> dict[str, NDArray[Any]]:
    slots, rows = table.slots, table.rows
    ones = np.ones(slots.size, np.int64)
    return {
        "ids": rows["id"][slots].astype(np.int64),
        "tier": rows["tier"][slots],
        "mass": rows["mass"][slots].astype(np.int64) if table.merging else ones,
        "visits": rows["visits"][slots].astype(np.int64) if table.merging else ones,
        "use": rows["use"][slots].astype(np.int64),
        "reads": table.reads - rows["born_reads"][slots].astype(np.int64),
        "start_s": rows["start_s"][slots],
        "end_s": rows["end_s"][slots],
        "exemplar_s": rows["exemplar_s" if table.merging else "start_s"][slots],
        "key_codes": rows["key"][slots],
        "key_square_sum": rows["square_sum"][slots],
    }


def _spans(table: CellTable) -> dict[str, NDArray[Any]]:
    slots, rows = table.slots, table.rows
    ids = rows["id"][slots].astype(np.int64)
    if table.spans_per_cell == 1:
        starts_s, ends_s = rows["start_s"][slots], rows["end_s"][slots]
    else:
        counts = rows["span_count"][slots].astype(np.int64)
        used = np.arange(table.spans_per_cell) < counts[:, None]
        starts_s, ends_s = rows["spans"][slots][used].T
        ids = np.repeat(ids, counts)
    return {"span_cell": ids, "span_start_s": starts_s, "span_end_s": ends_s}


def _with_open(
    table: CellTable,
    intake: Intake,
    cells: dict[str, NDArray[Any]],
    spans: dict[str, NDArray[Any]],
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    stretch = intake.open
    keys = intake.encode([stretch]).keys
    of_cell: dict[str, Any] = {
        "ids": table.next_id, "tier": WORKING, "mass": stretch.frames, "visits": 1,
        "use": stretch.use, "reads": stretch.reads, "start_s": stretch.start_s,
        "end_s": intake.open_end_s, "exemplar_s": stretch.exemplar_s,
        "key_codes": keys.codes[0], "key_square_sum": keys.square_sum[0],
    }  # fmt: skip
    of_span = {
        "span_cell": table.next_id,
        "span_start_s": stretch.start_s,
        "span_end_s": intake.open_end_s,
    }
    return _appended(cells, of_cell), _appended(spans, of_span)


def _appended(columns: dict[str, NDArray[Any]], row: dict[str, Any]) -> dict[str, NDArray[Any]]:
    return {
        name: np.concatenate((column, np.asarray(row[name], column.dtype)[None]))
        for name, column in columns.items()
    }
