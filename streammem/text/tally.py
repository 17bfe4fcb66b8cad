"""How often each word was said so far, in few bytes and without knowing the words."""

import zlib

_ROWS = 4
_MOST = 255


class WordTally:
    """Counts of words in a fixed number of bytes; never too low, seldom too high.

    Source: count-min sketch (Cormode and Muthukrishnan, Journal of Algorithms 2005) with
    conservative update (Estan and Varghese, SIGCOMM 2002). Counts stop at 255.
    """

    def __init__(self, size_bytes: int, data: bytes = b"") -> None:
        """A tally of that size, or one that goes on from `to_bytes`."""
        self._width = max(1, size_bytes // _ROWS)
        size = self._width * _ROWS
        if data and len(data) < size:
            data = zlib.decompress(data)
        self._counts = bytearray(data if len(data) == size else size)

    def add(self, word: str) -> None:
        """Count a word once more."""
        places = self._places(word)
        count = min(self._counts[place] for place in places)
        if count < _MOST:
            for place in places:
                self._counts[place] = max(self._counts[place], count + 1)

    def count(self, word: str) -> int:
        """How often a word was counted, at least 1 and at most 255."""
        return max(1, min(self._counts[place] for place in self._places(word)))

    def to_bytes(self) -> bytes:
        """What `__init__` goes on from: few bytes for few words, never more than its size."""
        packed = zlib.compress(self._counts, 6)
        return packed if len(packed) < len(self._counts) else bytes(self._counts)

    def _places(self, word: str) -> list[int]:
        data = word.encode("utf-8", "replace")
        return [
            row * self._width + zlib.crc32(data, (row + 1) * 0x9E3779B1 & 0xFFFFFFFF) % self._width
            for row in range(_ROWS)
        ]
