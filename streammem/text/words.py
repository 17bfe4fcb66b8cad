"""Words as the text memory and its searches see them: folded, without accents, one form each."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
# Scripts that write no spaces: a run of theirs is a sentence, not a word.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\U00020000-\U0002ffff]"
)


def folded(text: str) -> str:
    """The text in lower case and without accents, as the full-text index folds it."""
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def words_in(text: str) -> list[str]:
    """The folded words of a text, in order, repeats included."""
    return _WORD.findall(folded(text))


def is_unspaced(word: str) -> bool:
    """Whether a word is a run of a script without spaces, which is searched by its parts."""
    return bool(_UNSPACED.search(word))
