"""The sum that every row carries: SQLite does not notice a flipped bit inside a value."""

import zlib


def crc(data: bytes) -> int:
    """CRC-32 as a signed number, which SQLite keeps in four bytes."""
    value = zlib.crc32(data)
    return value - (1 << 32) if value >= 1 << 31 else value
