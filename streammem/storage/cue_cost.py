"""What timed text costs in pages of the file, kept up to date as cues come and go.

Cues lie in the order of their numbers: they are only appended, and where some have to go the
table is written anew. So its leaves are known exactly. The full-text index is charged by what it
holds: each word once, and a few bits for each cue that has it.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple, Self

from streammem.storage.pages import largest_local, overflow_pages
from streammem.text.rows import CueRow, pack_details
from streammem.text.words import words_in

# Besides channel, text and details: times, sum, headers, number, and the pointer to the cell.
_CELL_BYTES = 43
_LEAF_HEADER_BYTES = 8
# Pages above the leaves are half full at least.
_CHILDREN = 40
# The first split of a tree leaves two pages half empty; there are three trees.
_TREE_PAGES = 3
# A word of the index beside its letters: lengths, its place in the page, an end.
_WORD_BYTES = 6
# Pages of the index: their headers, their own rows, and the word each begins with.
_FILL = 16 / 17
# What was appended to the index since it was written in one piece may take this part of it,
_LOOSE_SHARE = 8
# or this many bytes in a small one; each commit adds a piece of its own.
_LOOSE_BYTES = 512
_PIECE_BYTES = 96
# A search looks into every piece.
_MOST_PIECES = 64


class CueSize(NamedTuple):
    """What a stored cue counts as.

    `cell_bytes` is what it takes in its leaf, with the pointer to it; `words` are different.
    """

    channel: str
    text_bytes: int
    cell_bytes: int
    overflow_pages: int
    words: tuple[str, ...]

    @property
    def index_bytes(self) -> int:
        """The most that it takes in the index where nothing else has its words."""
        return sum(len(word.encode()) + _WORD_BYTES + 3 for word in self.words)


def size_of(row: CueRow, page_bytes: int) -> CueSize:
    """What a storable row counts as."""
    text_bytes = len(row.cue.text.encode())
    channel = row.cue.channel.value
    cell_bytes = _CELL_BYTES + len(channel) + text_bytes + len(pack_details(row))
    overflow = overflow_pages(cell_bytes, page_bytes)
    if overflow:
        cell_bytes = largest_local(page_bytes)
    words = tuple(sorted(set(words_in(row.cue.text))))
    return CueSize(channel, text_bytes, cell_bytes, overflow, words)


class CueCost:
    """The pages that cues take. Numbers only rise; equal cues cost the same in any run."""

    def __init__(self, page_bytes: int) -> None:
        self._page_bytes = page_bytes
        self.sizes: dict[int, CueSize] = {}
        self._carriers: Counter[str] = Counter()
        self._word_bytes = 0
        self._place_bytes = 0
        self._range = 1
        self._leaves = 0
        self._left = 0
        self._overflow_pages = 0

    @property
    def bytes(self) -> int:
        """The most bytes of pages that they take, index included."""
        if not self.sizes:
            return 0
        index = self.index_bytes + loose_limit(self.index_bytes)
        pages = self._leaves + self._overflow_pages + -(-index // self._page_bytes)
        return (pages + pages // _CHILDREN + _TREE_PAGES) * self._page_bytes

    @property
    def index_bytes(self) -> int:
        """The most that the index takes where it was written in one piece."""
        return int((self._word_bytes + self._place_bytes) / _FILL)

    def add(self, row: CueRow) -> None:
        """Append a cue."""
        number, size = row.id, size_of(row, self._page_bytes)
        self.sizes[number] = size
        self._append_cell(size)
        carriers = self._carriers
        for word in size.words:
            if word not in carriers:
                self._word_bytes += len(word.encode()) + _WORD_BYTES
            self._place_bytes -= _places(carriers[word], self._range)
            carriers[word] += 1
            self._place_bytes += _places(carriers[word], self._range)
        if number >= self._range:
            self._spread()

    def remove(self, numbers: Iterable[int]) -> None:
        """Take cues out; the others move together."""
        for number in numbers:
            for word in self.sizes.pop(number).words:
                self._carriers[word] -= 1
                if not self._carriers[word]:
                    del self._carriers[word]
                    self._word_bytes -= len(word.encode()) + _WORD_BYTES
        self._leaves = self._left = self._overflow_pages = 0
        for size in self.sizes.values():
            self._append_cell(size)
        self._spread()

    def share(self, number: int) -> int:
        """About what a cue alone takes: its cell, and its part of the words."""
        size = self.sizes[number]
        words = sum(2 + (len(word) + _WORD_BYTES) // self._carriers[word] for word in size.words)
        return size.cell_bytes + size.overflow_pages * self._page_bytes + words

    def changed(self, added: Iterable[CueRow], dropped: Collection[int]) -> Self:
        """The cost with some cues appended after others went."""
        other = self._copy()
        if dropped:
            other.remove(dropped)
        for row in added:
            other.add(row)
        return other

    def _copy(self) -> Self:
        other = type(self)(self._page_bytes)
        other.sizes = dict(self.sizes)
        other._carriers = self._carriers.copy()
        other._word_bytes, other._place_bytes = self._word_bytes, self._place_bytes
        other._range, other._leaves, other._left = self._range, self._leaves, self._left
        other._overflow_pages = self._overflow_pages
        return other

    def _append_cell(self, size: CueSize) -> None:
        if size.cell_bytes > self._left:
            self._leaves += 1
            self._left = self._page_bytes - _LEAF_HEADER_BYTES
        self._left -= size.cell_bytes
        self._overflow_pages += size.overflow_pages

    def _spread(self) -> None:
        """Count the places anew, for the range of numbers that there is."""
        highest = next(reversed(self.sizes), 1)
        self._range = 1 << highest.bit_length()
        self._place_bytes = sum(_places(count, self._range) for count in self._carriers.values())


def loose_limit(index_bytes: int) -> int:
    """What may be appended to an index of this size before it is written in one piece again."""
    return max(_LOOSE_BYTES, index_bytes // _LOOSE_SHARE)


class LooseIndex:
    """How much of the index was appended in pieces, and when it is to be written as one."""

    def __init__(self) -> None:
        # Of a file that was just opened nothing is known.
        self._pieces = _MOST_PIECES
        self._loose_bytes = 0

    def is_due(self, cost: CueCost, added: Collection[CueRow], dropped: Collection[int]) -> bool:
        """Whether the index has to be written in one piece now; notes what is done.

        Args:
            cost: What the file holds then.
            added: What is appended to it.
            dropped: What goes before.
        """
        if not added and not dropped:
            return False
        more = sum(cost.sizes[row.id].index_bytes for row in added)
        loose_bytes = self._loose_bytes + _PIECE_BYTES + more
        if (
            not dropped
            and self._pieces < _MOST_PIECES
            and loose_bytes <= loose_limit(cost.index_bytes)
        ):
            self._pieces, self._loose_bytes = self._pieces + 1, loose_bytes
            return False
        self._pieces = self._loose_bytes = 0
        return True


def _places(carriers: int, number_range: int) -> int:
    """The most bytes of the differences between so many rising numbers below a limit."""
    if not carriers:
        return 0
    total, step = carriers + 1, 7
    while number_range >> step:
        total += min(carriers, number_range >> step)
        step += 7
    return total
