"""Which of the eleven intents a question has, by the words that carry it."""

import re

from streammem.query.question_words import CONTRACTED, FINITE, SHARE, VIDEO

_AUX = rf"(?:{FINITE}|am|{CONTRACTED})"
_READABLE = (
    r"(?:signs?|label|screens?|text|banner|poster|caption|captions|billboard|board|blackboard|"
    r"whiteboard|slide|page|note|notes|book|shirt|t-shirt|jersey|scoreboard|score\s*board|title|"
    r"headline|card|plate|number\s*plate|licen[sc]e\s*plate|sticker|display|monitor|clock|cover|"
    r"message|letter|newspaper|menu|chart|subtitle|words?|writing|paper|door|wall|logo|placard)"
)
_ELAPSED = r"how\s+(?:long|much\s+time|many\s+(?:seconds|minutes|hours))"
_COUNT = re.compile(
    r"\bhow\s+(?:many|often|frequently)\b|\b(?:the\s+|total\s+)?(?:number|count|tally)\s+of\b"
    r"|^\W*count\b|\bmore\s+than\s+once\b|\bhow\s+many\s+times\b",
    re.IGNORECASE,
)
_DURATION = re.compile(
    rf"\b{_ELAPSED}\b(?!\s+(?:into|ago|before\s+the\s+end))|\b(?:the\s+)?(?:total\s+)?"
    rf"(?:duration|length)\s+of\b|\b{SHARE}\b|\bfor\s+how\s+(?:long|much)\b|\btotal\s+time\b",
    re.IGNORECASE,
)
_OF_WHOLE = re.compile(rf"\b{SHARE}\b", re.IGNORECASE)
_TIME_INTO = re.compile(rf"\b{_ELAPSED}\s+(?:ago|into)\b", re.IGNORECASE)
_READ = re.compile(
    rf"\b(?:what|which|when)\b.*\b{_READABLE}\b[^,]*\b(?:say|says|said|read|reads|indicates?)\b"
    r"|\b(?:what|which|whose)\s+(?:(?:is|are|was|were|does)\s+)?(?:the\s+)?"
    r"(?:(?:main|white|large|small|first|last)\s+)?"
    r"(?:text|words?|letters?|writing|caption|headline|inscription|title|name|number|slogan|label)\b"
    r".*\b(?:written|on|displayed|shown|printed|appears?|visible|read)\b"
    r"|\b(?:is|are|was|were)\s+(?:written|printed|inscribed|spelled)\b|\bwritten\s+(?:on|in|at)\b"
    r"|\b(?:read|transcribe)\s+(?:out\s+)?(?:the|what|me)\b|\bthe\s+text\s+on\b"
    r"|\bwhat\s+does\s+(?:it|this|that)\s+read\b|\bon-?screen\s+text\b"
    r"|\bwhat\s+time\s+(?:is|was)\s+(?:displayed|shown)\s+on\b|\blicen[sc]e\s+plate\s+number\b",
    re.IGNORECASE,
)
_SPEAK = (
    r"(?:say|says|said|saying|tell|tells|told|telling|mention|mentions|mentioned|talk(?:s|ed|ing)?\s+"
    r"(?:about|of)|speak(?:s|ing)?\s+(?:about|of)|spoke\s+(?:about|of)|discuss(?:es|ed)?|announce[sd]?"
    r"|narrate[sd]?|ask(?:s|ed)?(?:\s+(?:about|for)\b|\s*,?\s*\ue000)|explain(?:s|ed)?\s+(?:about|that|why|how)"
    r"|repl(?:y|ies|ied)|respond(?:s|ed)?|whisper(?:s|ed)?|shout(?:s|ed)?)"
)
_SAID = re.compile(
    rf"\b(?:what|who|when|how|where|which|why)\b.*\b{_SPEAK}\b"
    rf"|^\W*{_AUX}\s+(?:(?!there\b)[\w'-]+\s+){{1,5}}(?:ever\s+)?{_SPEAK}\b"
    rf"|\b(?:is|are|was|were|be|been|being)\s+(?:said|mentioned|spoken|discussed|talked\s+about|told)\b"
    r"|\b(?:words?|lines?|quote)\s+(?:is|are|was|were)?\s*spoken\b|\btranscript\b"
    r"|\bwhat\s+(?:is|was|are)\s+\w+\s+saying\b|\b(?:say|said)\s+about\b",
    re.IGNORECASE,
)
# "What can you say about ..." asks the one who answers; a body responds as well as a voice.
_NOT_SAID = re.compile(
    r"\b(?:can|could|would)\s+(?:you|we|one)\s+(?:say|tell)\b|\bhow\b[^,]*\brespon(?:d|ds|ded)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\b(?:about|of|regarding|concerning|mention(?:s|ed)?|discuss(?:es|ed)?|announce[sd]?)\s+(.+)$",
    re.IGNORECASE,
)
_EXISTS = re.compile(
    rf"(?:^|[.!]\s+)\W*{_AUX}\b|^(?!\W*(?:when|at\b|what|which|who|where|how|for\s+how)).*\b(?:is|are|was|were)\s+"
    r"there\s+(?:a|an|any|some)\b"
    r"|\bcheck\s+(?:if|whether)\b|^\W*(?:whether|any)\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"^\W*(?:and\s+)?(?:since\s+|until\s+)?when\b"
    r"|\b(?:at\s+|on\s+|in\s+|during\s+|around\s+)?(?:what|which)\s+(?:exact\s+|specific\s+)?"
    r"(?:times?|moments?|points?|timestamps?|part|period|minute|second)\b"
    rf"|\bwhere\s+(?:in|during)\s+{VIDEO}|\b(?:the\s+)?(?:moments?|parts?|time|times|timestamps?)\s+"
    r"(?:when|where|in\s+which|at\s+which|of)\b"
    r"|^\W*list\s+(?:all\s+|every\s+)?(?:the\s+)?(?:times?|moments?|timestamps?)\b"
    r"|^\W*(?:show|find|locate|search|jump|go\s+to|skip|take\s+me|look\s+for|get|bring)\b"
    r"|\bwhen\s+(?:is|are|was|were|does|do|did|has|have|can|will)\b|\btimestamps?\b",
    re.IGNORECASE,
)
_DESCRIBE = re.compile(
    r"^\W*(?:please\s+)?(?:describe|summari[sz]e|outline|recap|list|explain|discuss|analy[sz]e"
    r"|illustrate|elaborate|compare|evaluate|assess)\b"
    r"|\b(?:summary|overview|synopsis|summari[sz]e[sd]?|timeline|chapters?)\b"
    rf"|\bwhat(?:'s|\s+is|\s+was|\s+are)?\s+(?:{VIDEO}|it|this)\s+(?:all\s+)?about\b"
    rf"|\bwhat(?:'s|\s+is|\s+was)\s+(?:happening\s+|going\s+on\s+|shown\s+|depicted\s+)?"
    rf"(?:in|throughout)\s+{VIDEO}\W*$"
    rf"|\bwhat\s+(?:happens|happened|occurs|is\s+happening|does\s+{VIDEO}\s+show|is\s+{VIDEO}\s+about)"
    rf"(?:\s+(?:in|during|throughout)\s+{VIDEO})?\W*$"
    r"|\bwhat(?:'s|\s+is)\s+(?:going\s+on|happening)\W*$"
    rf"|\b(?:tell\s+me\s+(?:more\s+)?about|talk\s+(?:me\s+)?through)\s+{VIDEO}",
    re.IGNORECASE,
)
_DESCRIBE_VERB = re.compile(
    r"^\W*(?:please\s+)?(?:describe|summari[sz]e|outline|recap|list)\b"
    r"|\b(?:summary|overview|synopsis|timeline|chapters?)\b",
    re.IGNORECASE,
)
_WHAT = re.compile(
    r"\b(?:what|what's|whats|which|who|who's|whom|whose|where|why|how)\b", re.IGNORECASE
)
_SEEN_ONLY = re.compile(r"\bwhat\s+(?:is|was|are|were|do|does|did|can|could)\b", re.IGNORECASE)
_COLOUR = re.compile(r"\b(?:what|which)\b[^,]*\bcolou?rs?\b|\bcolou?r\s+of\b", re.IGNORECASE)
_NEGATED = re.compile(
    r"\b(?:not|never|isn't|aren't|wasn't|doesn't|don't|didn't|except)\b", re.IGNORECASE
)
_TIMES = re.compile(
    r"\bhow\s+(?:often|frequently)\b|\b(?:times|instances|occurrences|appearances|visits|occasions|scenes)\b"
    r"|\bmore\s+than\s+once\b",
    re.IGNORECASE,
)


def is_count(text: str) -> bool:
    """How many, how often, the number of."""
    return bool(_COUNT.search(text)) and not is_duration(text) and not _TIME_INTO.search(text)


def counts_times(text: str) -> bool:
    """Whether a count asks for occasions and not for things in a picture."""
    return bool(_TIMES.search(text))


def is_duration(text: str) -> bool:
    """How long, the duration of."""
    return bool(_DURATION.search(text)) and not _TIME_INTO.search(text)


def asks_share(text: str) -> bool:
    """Whether a length is wanted as a part of the whole."""
    return bool(_OF_WHOLE.search(text))


def speech_intent(text: str) -> str | None:
    """`read` for written words, `said` for spoken ones, None for neither."""
    if _READ.search(text):
        return "read"
    return "said" if _SAID.search(text) and not _NOT_SAID.search(text) else None


def speech_topic(text: str) -> str | None:
    """What is spoken about: the words behind "about" or "mention"."""
    match = _ABOUT.search(text)
    return match.group(1) if match else None


def is_exists(text: str) -> bool:
    """A question that yes or no answers."""
    return bool(_EXISTS.search(text))


def is_when(text: str) -> bool:
    """A question, or a request to find, that a time answers."""
    return bool(_WHEN.search(text) or _TIME_INTO.search(text))


def is_describe(text: str) -> bool:
    """A request for a summary of what is seen."""
    return bool(_DESCRIBE.search(text))


def orders_description(text: str) -> bool:
    """A request by a verb that means a summary, as in "Describe ..."."""
    return bool(_DESCRIBE_VERB.search(text))


def is_what(text: str) -> bool:
    """A question for the content of pictures."""
    return bool(_WHAT.search(text))


def asks_colour(text: str) -> bool:
    """Whether a colour is the answer."""
    return bool(_COLOUR.search(text))


def is_negated(text: str) -> bool:
    """Whether the stem of a choice asks for what is not so."""
    return bool(_NEGATED.search(text))


# Who or what carries words, as opposed to what the words are about.
_CARRIER = re.compile(
    rf"(?:{_READABLE}|man|men|woman|women|boy|girl|person|people|speakers?|narrators?|voices?"
    r"|someone|somebody|anyone|anybody|lecturer|teacher|presenter|host|guy|lady|audio|speech"
    r"|on-?screen|subtitles?|captions?|transcript|first|last|next|something|anything|things?)",
    re.IGNORECASE,
)
_SPOKEN_OF = re.compile(rf"\b{_SPEAK}\b|\b(?:mention(?:ing|s|ed)?|said)\b", re.IGNORECASE)


def carries_words(word: str) -> bool:
    """Whether a word names a speaker or a surface that words are on."""
    return bool(_CARRIER.fullmatch(word))


def names_speech(text: str) -> bool:
    """Whether a text speaks of something being said, as in "he says hello"."""
    return bool(_SPOKEN_OF.search(text))


_SIGHT = re.compile(
    r"\b(?:see|sees|seen|saw|visible|appears?|appeared|show|shows|shown|looks?|looking|watch|view"
    r"|wears?|wearing|colou?rs?|in\s+the\s+(?:picture|image|frame|shot))\b",
    re.IGNORECASE,
)


def asks_for_sight(text: str) -> bool:
    """Whether the words of a question ask for what is seen."""
    return bool(_SIGHT.search(text))


_SPEECH_WORDS = re.compile(
    rf"\b(?:{_SPEAK}|says?|reads?|written|printed|spoken|indicates?|displayed|words?|text|writing|"
    r"in\s+words)\b",
    re.IGNORECASE,
)
_TEXT_ON = re.compile(r"^.*?\b(?:written|printed|text|words?|name|number|title|letters?|label)\s+"
                      r"(?:is\s+|are\s+|was\s+|were\s+)?(?:\w+\s+)?(?:on|in|at)\s+(?=\w)",
                      re.IGNORECASE)  # fmt: skip


# "When is STOP written on the sign?" names the words themselves, and where they are only besides.
_WRITTEN = re.compile(
    r"\b(?:when|where|how\s+(?:often|long|many\s+times))\s+(?:is|are|was|were)\s+(?P<words>.+?)\s+"
    r"(?:written|printed|displayed|spelled|inscribed)\b",
    re.IGNORECASE,
)


def written_words(text: str) -> str | None:
    """The words that a question says are written somewhere; None where it asks for them."""
    match = _WRITTEN.search(text)
    return match["words"] if match else None


def spoken_words(text: str) -> str:
    """The words themselves of "he says hello" or "mentions the pendulum"."""
    if not names_speech(text):
        return text
    return (speech_topic(text) or without_speech_words(text)).strip()


def without_speech_words(text: str) -> str:
    """The text without the verbs of saying and reading: who speaks, or what carries the words."""
    return _SPEECH_WORDS.sub(" ", _TEXT_ON.sub("", text))
