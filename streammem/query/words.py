"""The word lists that the parser and the scoring share, so that both judge words alike."""

import re

# Words that carry no visual evidence: an encoder need not know them for a phrase to be covered.
FUNCTION_WORDS = frozenset(
    """
    a an the this that these those some any no not of in on at to for from with without by into onto
    over under and or but as is are was were be been being am do does did done has have had having
    can could will would shall should may might must it its he she they them him her his their i
    me my we us our you your who whom whose what which when where why how there here then than so
    very just also too one ones again still ever only both each every all more most other another
    s t while during after before between
    """.split()  # noqa: SIM905  (a list of eighty quoted words reads worse)
)
# What a picture is called, as opposed to what it shows.
CONTAINER_WORDS = frozenset(
    """
    screen scene scenes shot shots frame frames image images picture pictures video clip footage
    recording view moment part segment section thing things something anything stuff object objects
    colour color colours colors camera stream event events visible shown seen appears appear
    """.split()  # noqa: SIM905
)
COLOUR_WORDS = frozenset(
    """
    red green blue yellow orange purple violet pink brown black white grey gray cyan magenta
    turquoise teal beige gold golden silver maroon navy olive lime tan cream crimson scarlet
    lavender indigo
    """.split()  # noqa: SIM905
)

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?", re.UNICODE)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, apostrophes kept inside a word."""
    return [match.group(0).lower() for match in _WORD.finditer(text)]


def content_words(text: str) -> list[str]:
    """The words of a text that claim something visible, in order, each once."""
    ignored = FUNCTION_WORDS | CONTAINER_WORDS
    return list(dict.fromkeys(word for word in words_of(text) if word not in ignored))
