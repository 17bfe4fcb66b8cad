"""Words in other forms: endings, words of one stem, and phrases that only their own words tell."""

from collections.abc import Container

from streammem.text.words import folded, is_unspaced

SHORTEST_STEM = 4
_ENDINGS = ("ingly", "edly", "ings", "ing", "ies", "ied", "est", "ers", "ed", "es", "er", "ly", "s")
# Words of other alphabets that begin alike for this part of the longer one are of one stem.
_ALIKE = 0.7
_SHORTEST_COMMON = 3
# How much nearer a meaning has to be where a phrase is a word or two: whatever is about the same
# field is near to those. Measured on sixty questions over four texts: for single words that nobody
# said the best cosine was 0.43, for pairs 0.36; cues that mean what a whole phrase means had more.
_BARE_WORDS = {1: 0.10, 2: 0.05}
# Somebody who asks for a name wants that name: nothing else means the same.
_NAME = 0.15
# What people call what a file says of itself.
SAME = {
    "filmed": "recorded", "shot": "recorded", "taken": "recorded", "captured": "recorded",
    "taped": "recorded",
}  # fmt: skip
_ARTICLES = frozenset({"a", "an", "the", "some", "any"})


def stem(word: str) -> str:
    """What forms of an English word have in common: without its ending, if enough is left."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            return word[: -len(ending)].rstrip("e")
    if word.endswith("s") and len(word) == SHORTEST_STEM and not word.endswith("ss"):
        return word[:-1]
    return word.rstrip("e") if len(word) > SHORTEST_STEM else word


def of_one_stem(word: str, other: str) -> bool:
    """Whether two folded words that are not English begin alike for most of their length."""
    if word.isascii() or other.isascii() or is_unspaced(word):
        return False
    common = 0
    for one, two in zip(word, other, strict=False):
        if one != two:
            break
        common += 1
    return common >= max(_SHORTEST_COMMON, _ALIKE * max(len(word), len(other)))


def meaning_margin(phrase: str, said: Container[str]) -> float:
    """How much nearer than others the meaning of a phrase has to be, as a cosine.

    Args:
        phrase: What is looked for, as it was written.
        said: The folded words of all cues.
    """
    words = [word for word in phrase.split() if word.lower() not in _ARTICLES]
    margin = _BARE_WORDS.get(len(words), 0.0)
    # The first of several words may have its capital from the beginning of a sentence.
    names = words if len(words) == 1 else words[1:]
    if any(word[0].isupper() and len(word) > 1 and folded(word) not in said for word in names):
        margin += _NAME
    return margin
