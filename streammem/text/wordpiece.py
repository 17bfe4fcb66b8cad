"""Words cut into the pieces that a BERT model without case knows."""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

_LONGEST_WORD = 100
_UNKNOWN, _START, _END = "[UNK]", "[CLS]", "[SEP]"
_CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2FA1F), (0xF900, 0xFAFF))


class WordPieces:
    """A vocabulary, and the numbers of a text's pieces in it. Immutable."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}

    @classmethod
    def read(cls, path: Path) -> "WordPieces":
        """The vocabulary of a file with one piece a line."""
        return cls(path.read_text(encoding="utf-8").split("\n"))

    def encode(self, text: str, longest: int) -> list[int]:
        """Numbers of at most `longest` pieces, the marks of start and end included."""
        pieces = [piece for word in _words(text) for piece in self._pieces(word)]
        kept = [_START, *pieces[: longest - 2], _END]
        return [self._numbers[piece] for piece in kept]

    def _pieces(self, word: str) -> list[str]:
        """The longest known beginning, then the longest known continuation, and so on."""
        if len(word) > _LONGEST_WORD:
            return [_UNKNOWN]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                if mark + word[start:end] in self._numbers:
                    pieces.append(mark + word[start:end])
                    start = end
                    break
            else:
                return [_UNKNOWN]
        return pieces


def _words(text: str) -> Iterator[str]:
    """Words and single punctuation marks, lower case, without accents."""
    for chunk in text.split():
        plain = "".join(
            letter
            for letter in unicodedata.normalize("NFD", chunk.lower())
            if unicodedata.category(letter) != "Mn"
        )
        word = ""
        for letter in plain:
            if _stands_alone(letter):
                if word:
                    yield word
                yield letter
                word = ""
            elif unicodedata.category(letter) not in ("Cc", "Cf") and letter != "\ufffd":
                word += letter
        if word:
            yield word


def _stands_alone(letter: str) -> bool:
    code = ord(letter)
    ascii_mark = 33 <= code <= 126 and not letter.isalnum()
    return (
        ascii_mark
        or unicodedata.category(letter).startswith("P")
        or any(first <= code <= last for first, last in _CJK)
    )
