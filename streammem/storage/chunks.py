"""Cuts sections into chunks that fill their pages, and finds the few that changed.

A commit that touches one cell of a large memory then writes a few pages, not all of it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streammem.core.errors import MemoryFileError
from streammem.storage.records import SectionRecord

MAX_SECTIONS = 12
_SLOT_BITS = 24
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class ChunkChanges:
    """What to do to the table of chunks: rows to delete (half-open ranges), rows to write."""

    deletes: tuple[tuple[int, int], ...]
    writes: tuple[tuple[int, bytes], ...]
    records: dict[str, SectionRecord]


def chunk_id(slot: int, number: int) -> int:
    """The row of a section's chunk: sections in slots, chunks in order."""
    return slot << _SLOT_BITS | number


def digest(section: bytes) -> str:
    """What a section must hash to when it is read again."""
    return hashlib.blake2b(section, digest_size=_DIGEST_BYTES).hexdigest()


def plan_changes(
    old: Mapping[str, bytes],
    records: Mapping[str, SectionRecord],
    new: Mapping[str, bytes],
    size: int,
) -> ChunkChanges:
    """The fewest row changes that turn the stored sections `old` into `new`.

    Args:
        old: The sections as they were written last.
        records: Where they lie.
        new: The sections as they shall be.
        size: Length of a chunk in bytes.
    """
    deletes = [
        (chunk_id(records[name].slot, 0), chunk_id(records[name].slot + 1, 0))
        for name in old.keys() - new.keys()
    ]
    placed = _place(records, new)
    writes: list[tuple[int, bytes]] = []
    after: dict[str, SectionRecord] = {}
    for name in sorted(new):
        section, before, slot = new[name], old.get(name, b""), placed[name]
        if name in old and section == before:
            after[name] = records[name]
            continue
        writes += [
            (chunk_id(slot, start // size), section[start : start + size])
            for start in range(0, len(section), size)
            if section[start : start + size] != before[start : start + size]
        ]
        if len(section) < len(before):
            deletes.append((chunk_id(slot, -(-len(section) // size)), chunk_id(slot + 1, 0)))
        after[name] = SectionRecord(slot, len(section), digest(section))
    return ChunkChanges(tuple(sorted(deletes)), tuple(writes), after)


def _place(records: Mapping[str, SectionRecord], names: Iterable[str]) -> dict[str, int]:
    """A slot for each section: the one it has, else one that no section, old or new, holds."""
    taken = {record.slot for record in records.values()}
    placed = {}
    for name in sorted(names):
        if name in records:
            placed[name] = records[name].slot
        else:
            placed[name] = next(slot for slot in range(2 * MAX_SECTIONS) if slot not in taken)
            taken.add(placed[name])
    return placed


def join_sections(
    rows: Iterable[tuple[int, bytes]], records: Mapping[str, SectionRecord]
) -> dict[str, bytes]:
    """The sections that the rows (in order of id) hold, each checked against its record.

    Raises:
        MemoryFileError: a section is missing, too long or not what was written.
    """
    by_slot: dict[int, list[bytes]] = {}
    for row, body in rows:
        by_slot.setdefault(row >> _SLOT_BITS, []).append(body if isinstance(body, bytes) else b"")
    sections = {}
    for name in sorted(records):
        record = records[name]
        section = b"".join(by_slot.pop(record.slot, []))
        if len(section) != record.length or digest(section) != record.digest:
            raise MemoryFileError(
                f"section {name!r} is not what was written", hint="the file was changed or damaged"
            )
        sections[name] = section
    if by_slot:
        raise MemoryFileError(
            "there are cells that belong to no section", hint="the file was changed or damaged"
        )
    return sections
