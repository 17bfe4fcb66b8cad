"""Sections of a memory's state in one run of bytes, behind a header with lengths and a checksum."""

import struct
import zlib
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError

FORMAT_VERSION = 6
"""Version of every layout in this package; a memory of a newer one is refused."""

STORE = "store"
"""The section with what every memory has; the policy's own sections follow."""

STORE_RECORD = np.dtype([
    ("format", "<u4"), ("dim", "<u4"), ("budget_bytes", "<u8"), ("seed", "<i8"),
    ("usage_events", "<u8"), ("policy", "S24"), ("tokens_per_frame", "<u4"), ("closed", "u1"),
    ("spare", "u1", (3,)),
])  # fmt: skip
"""What every memory has, whatever its policy."""

_MAGIC = b"SMSTORE\0"
_HEADER = struct.Struct("<8sIII")
_LENGTH = struct.Struct("<Q")


def overhead_bytes(section_count: int) -> int:
    """Bytes around `section_count` sections of a policy, the store's own section included."""
    return _HEADER.size + (section_count + 1) * _LENGTH.size + STORE_RECORD.itemsize


def pack(sections: Mapping[str, bytes]) -> bytes:
    """Sections in their order behind a header."""
    parts = list(sections.values())
    lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
    checksum = zlib.crc32(lengths)
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join([_HEADER.pack(_MAGIC, FORMAT_VERSION, checksum, len(parts)), lengths, *parts])


def unpack(data: bytes) -> list[bytes]:
    """The sections that `pack` joined, in their order.

    Raises:
        MemoryFileError: the bytes are not a memory, are damaged or of a newer format.
    """
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise MemoryFileError("these bytes are not a memory")
    _, version, checksum, count = _HEADER.unpack_from(data)
    check_version(version)
    first = _HEADER.size + count * _LENGTH.size
    if len(data) < first:
        raise MemoryFileError(f"the memory is cut: {len(data)} bytes are there")
    lengths = np.frombuffer(data, "<u8", count, _HEADER.size).tolist()
    if len(data) != first + sum(lengths):
        raise MemoryFileError(f"the memory is cut: {len(data)} bytes are there")
    if zlib.crc32(memoryview(data)[_HEADER.size :]) != checksum:
        raise MemoryFileError("the memory is damaged: its checksum does not match")
    ends = [first]
    for length in lengths:
        ends.append(ends[-1] + length)
    return [data[start:end] for start, end in pairwise(ends)]


def check_version(version: int) -> None:
    """Refuse a format that this version does not know.

    Raises:
        MemoryFileError: the format is newer, or so old that its layout is gone.
    """
    if version > FORMAT_VERSION:
        raise MemoryFileError(
            f"the memory has format {version}; this version reads up to {FORMAT_VERSION}",
            hint="upgrade streammem",
            code="memory_newer",
        )
    if version < FORMAT_VERSION:
        raise MemoryFileError(
            f"the memory has format {version}, of a version before the first release",
            hint="ingest the source again with --force",
            code="memory_older",
        )


def read_store_record(data: bytes) -> NDArray[np.void]:
    """The record of a `store` section.

    Raises:
        MemoryFileError: it has the wrong length or a newer format.
    """
    if len(data) != STORE_RECORD.itemsize:
        raise MemoryFileError("the memory's store section has the wrong length")
    record: NDArray[np.void] = np.frombuffer(data, STORE_RECORD)
    check_version(int(record["format"][0]))
    return record
