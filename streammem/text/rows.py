"""One cue as it is stored: its number, its text, and everything else packed into a few bytes.

Packing rounds: a confidence to 1/255, word times to 10 ms. A cue is settled, that is rounded,
when it enters the memory, so what is read back equals what was kept.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from streammem.core.types import Channel, Cue

_TICKS_PER_S = 100
_HEADER = struct.Struct("<B2s")
_NO_LANGUAGE = b"\0\0"


@dataclass(frozen=True, slots=True)
class CueRow:
    """A cue of the memory. `id` is never reused; `vector` is the code of its meaning, or empty."""

    id: int
    cue: Cue
    vector: bytes = b""


def settled(cue: Cue) -> Cue:
    """The cue as it will come back: storable characters, rounded confidence and word times."""
    text = cue.text.encode("utf-8", "replace").decode("utf-8")
    plain = replace(
        cue,
        start_s=float(cue.start_s),
        end_s=float(cue.end_s),
        text=text,
        channel=Channel(cue.channel),
        language=_language_of(_language_code(cue.language)),
    )
    row = unpack_row(0, plain, pack_details(CueRow(0, plain)))
    return row.cue


def pack_details(row: CueRow) -> bytes:
    """Confidence, language, word times and vector; nothing where all of them say nothing."""
    cue = row.cue
    confidence = round(min(max(cue.confidence, 0.0), 1.0) * 255)
    language = _language_code(cue.language)
    if confidence == 255 and language == _NO_LANGUAGE and not cue.word_times_s and not row.vector:
        return b""
    packed = bytearray(_HEADER.pack(confidence, language))
    packed += _varint(len(cue.word_times_s))
    reached = 0
    for start_s, end_s in cue.word_times_s:
        begins = max(reached, _ticks(start_s - cue.start_s))
        ends = max(begins, _ticks(end_s - cue.start_s))
        packed += _varint(begins - reached) + _varint(ends - begins)
        reached = ends
    return bytes(packed) + row.vector


def unpack_row(number: int, plain: Cue, details: bytes) -> CueRow:
    """The row whose cue has the times, text and channel of `plain`, and these packed details.

    Raises:
        ValueError: the details were not made by `pack_details`.
    """
    bare = Cue(plain.start_s, plain.end_s, plain.text, plain.channel)
    if not details:
        return CueRow(number, bare)
    try:
        confidence, language = _HEADER.unpack_from(details)
        numbers = _Varints(details, _HEADER.size)
        times = tuple(_word_times(numbers, bare.start_s))
    except (struct.error, IndexError) as error:
        raise ValueError("the details of a cue are cut short") from error
    cue = replace(
        bare,
        confidence=confidence / 255,
        language=_language_of(language),
        word_times_s=times,
    )
    return CueRow(number, cue, details[numbers.position :])


def _word_times(numbers: "_Varints", start_s: float) -> Iterator[tuple[float, float]]:
    reached = 0
    for _ in range(numbers.next()):
        begins = reached + numbers.next()
        reached = begins + numbers.next()
        yield start_s + begins / _TICKS_PER_S, start_s + reached / _TICKS_PER_S


class _Varints:
    """Reads numbers of seven bits a byte, lowest first."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self.position = position

    def next(self) -> int:
        """The next number."""
        value = shift = 0
        while True:
            byte = self._data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7


def _varint(value: int) -> bytes:
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)


def _ticks(seconds: float) -> int:
    return max(0, round(seconds * _TICKS_PER_S))


def _language_code(language: str | None) -> bytes:
    """Two letters, or two zeros where the language is not known by two letters."""
    if language is None or len(language) != 2 or not (language.isascii() and language.isalpha()):
        return _NO_LANGUAGE
    return language.lower().encode("ascii")


def _language_of(code: bytes) -> str | None:
    return None if code == _NO_LANGUAGE else code.decode("ascii")
