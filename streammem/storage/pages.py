"""What rows cost in whole database pages, so that shares are checked before anything is written.

The arithmetic is that of SQLite's table b-trees: a row keeps up to a page of its payload in a
leaf, the rest in a chain of overflow pages that belongs to it alone. A leaf holds at least one
row, so one leaf and the chain is the most a row can cost, whatever rows come and go around it.
"""

# What a leaf takes of the page above it, where that page is a third full.
_PARENT_BYTES = 48
_RECORD_HEADER_BYTES = 12
_CHUNK_BYTES = 4096
_LARGEST_VARINT_HEADER = 5


def overflow_pages(payload_bytes: int, page_bytes: int) -> int:
    """Overflow pages behind a row of this payload; 0 where it fits into its leaf."""
    if payload_bytes <= largest_local(page_bytes):
        return 0
    chain_bytes = page_bytes - 4
    smallest = (page_bytes - 12) * 32 // 255 - 23
    local = smallest + (payload_bytes - smallest) % chain_bytes
    if local > largest_local(page_bytes):
        local = smallest
    return -(-(payload_bytes - local) // chain_bytes)


def row_charge(payload_bytes: int, page_bytes: int) -> int:
    """The most bytes of pages that a row of this payload can cost."""
    return (1 + overflow_pages(payload_bytes, page_bytes)) * page_bytes + _PARENT_BYTES


def thumbnail_charge(length_bytes: int, page_bytes: int) -> int:
    """The most bytes of pages that a picture of this many bytes can cost."""
    return row_charge(length_bytes + _RECORD_HEADER_BYTES, page_bytes)


def longest_thumbnail(pages: int, page_bytes: int) -> int:
    """The longest picture in bytes that costs this many pages: it leaves none half empty."""
    return largest_local(page_bytes) + (pages - 1) * (page_bytes - 4) - _RECORD_HEADER_BYTES


def chunk_bytes(page_bytes: int) -> int:
    """The length of a section's chunks: about 4 KiB, a leaf and its chain full to the brim."""
    pages = max(1, _CHUNK_BYTES // page_bytes)
    return largest_local(page_bytes) + (pages - 1) * (page_bytes - 4) - _LARGEST_VARINT_HEADER


def section_charge(length_bytes: int, page_bytes: int) -> int:
    """The most bytes of pages that a section of this many bytes can cost."""
    size = chunk_bytes(page_bytes)
    whole, rest = divmod(length_bytes, size)
    charge = whole * row_charge(size + _LARGEST_VARINT_HEADER, page_bytes)
    return charge + (row_charge(rest + _LARGEST_VARINT_HEADER, page_bytes) if rest else 0)


def largest_local(page_bytes: int) -> int:
    """The longest payload that lies in its leaf whole."""
    return page_bytes - 35
