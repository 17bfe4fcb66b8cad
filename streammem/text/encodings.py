"""Text files of unknown encoding: marks and UTF-8 first, then the one whose letters make sense."""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PLAIN = "cp1252"
_WORD = re.compile(r"[^\W\d_]+")
# First letters of the lists of Latin script.
_LATIN = "éąı"
# For each old encoding the letters that a text in its languages is mostly made of.
_COMMON_LETTERS = {
    "cp1252": "éèêàâçùûîôëïüöäßñáíóúãõåæøœÉÀÖÜÄÅØ",
    "cp1250": "ąćęłńóśźżáčďéěíňřšťúůýžöüőűăâîșțĄĆĘŁŚŻČŘŠŽ",
    "cp1251": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёіїє",
    "koi8-r": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфё",
    "cp1253": "αοιετσνηυρπκμλςάέίόήύώΑΟΙΕΤΣΝ",
    "cp1254": "ıığşçöüİĞŞÇÖÜ",
    "cp1255": "יוהלארתבמשנכעקחדפסגטצזםןך",
    "cp1256": "ايلمونرتبةعدسفهكحقىجشطصخأإذضءآغزثئظؤ",
    "cp874": "านรอกเงมยลวดทสตะปบคหแจพชขใไโผถณศธภ",
    "shift_jis": "のにはをたがでてとしれさいなるかもこうだ。、ん",
    "euc_jp": "のにはをたがでてとしれさいなるかもこうだ。、ん",
    "gb18030": "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得，。",
    "big5": "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得，。",
    "cp949": "이다는의에을를가고하은도지로한사나자기있그어리아",
}  # fmt: skip
# By language where the name of the file tells it: these are tried alone.
_BY_LANGUAGE = {
    "ru": ("cp1251", "koi8-r"), "uk": ("cp1251", "koi8-r"), "bg": ("cp1251",), "sr": ("cp1251",),
    "pl": ("cp1250",), "cs": ("cp1250",), "sk": ("cp1250",), "hu": ("cp1250",), "ro": ("cp1250",),
    "hr": ("cp1250",), "sl": ("cp1250",), "el": ("cp1253",), "tr": ("cp1254",), "he": ("cp1255",),
    "ar": ("cp1256",), "fa": ("cp1256",), "th": ("cp874",), "ja": ("shift_jis", "euc_jp"),
    "zh": ("gb18030", "big5"), "ko": ("cp949",),
}  # fmt: skip


def decode_text(data: bytes, language: str | None = None) -> str:
    """The text of a file with plain newlines. Never fails: what fits nowhere is marked.

    Args:
        data: The file's bytes.
        language: Two letters where the file's name or track tells them.
    """
    return _decoded(data, language).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _decoded(data: bytes, language: str | None) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    # Without a mark, every second byte of ASCII in UTF-16 is a zero.
    if data[:400].count(0) > len(data[:400]) // 10:
        name = "utf-16-le" if data[1::2][:200].count(0) > data[::2][:200].count(0) else "utf-16-be"
        return data.decode(name, "replace")
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    readings = list(_readings(data, _BY_LANGUAGE.get(language or "", tuple(_COMMON_LETTERS))))
    if not readings:
        return data.decode(_PLAIN, "replace")
    return max(readings, key=lambda reading: reading[0])[1]


def _readings(data: bytes, names: tuple[str, ...]) -> Iterator[tuple[float, str]]:
    """(how much sense it makes, text) for each encoding in which the bytes are valid."""
    for name in names:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        yield _sense(text, _COMMON_LETTERS[name]), text


def _sense(text: str, common: str) -> float:
    """How common the letters beyond ASCII are in the languages of an encoding, in [0, 1].

    Words that mix scripts make none: that is how a wrong encoding looks.
    """
    foreign = [letter for letter in text if ord(letter) > 127]
    if not foreign:
        return 0.0
    weights = {letter: 1 - 0.6 * place / len(common) for place, letter in enumerate(common)}
    known: float = sum(weights.get(letter, _syllable(letter, common)) for letter in foreign) / len(
        foreign
    )
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    if common[0] in _LATIN:
        # Western words hold few accented letters; where most are, it is another script.
        sound = sum(word.isascii() or _ascii_share(word) >= 0.4 for word in words)
    else:
        sound = sum(_ascii_share(word) == 0 for word in words)
    return float(known * sound / max(1, len(words)))


def _ascii_share(word: str) -> float:
    return sum(letter.isascii() for letter in word) / len(word)


def _syllable(letter: str, common: str) -> float:
    """What a letter counts that is in the script of a list, but not in the list itself."""
    if common[0] == "の" and "\u3040" <= letter <= "\u30ff":
        return 0.8
    return 0.5 if common[0] == "이" and "\uac00" <= letter <= "\ud7a3" else 0.0
