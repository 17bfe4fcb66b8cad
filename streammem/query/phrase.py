"""The visual phrase of a question: what to look for, without the words that only ask."""

import re
from dataclasses import dataclass

from streammem.query.question_words import CONTRACTED, FINITE, SHARE, VIDEO

_AUX = rf"(?:{FINITE}|am|be|been|should|shall|may|might|must|{CONTRACTED})"
_VIEWER = r"(?:you|we|i|one|anyone|anybody|someone|viewers?|the\s+viewers?)"
_SEE = r"(?:see|saw|seen|observe|observed|notice|noticed|find|found|spot|spotted|watch|hear|heard)"
_SHOWS = (
    r"(?:shows?|showed|contains?|contained|includes?|included|features?|featured|depicts?|depicted"
    r"|has|have|had|displays?|displayed)"
)
POLITE = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|so|and|but|well|please|kindly)\b[\s,]*"
    r"|(?:can|could|would|will)\s+you\s+(?:please\s+)?(?=(?:tell|show|find|describe|summari[sz]e|give"
    r"|list|explain|say|locate|identify|point)\b)"
    r"|(?:do\s+you\s+(?:know|remember|recall)|i(?:'d|\s+would)?\s+(?:want|like|need)\s+to\s+know"
    r"|i\s+wonder)\s+(?:if\s+|whether\s+)?"
    r"|tell\s+me\s+(?:please\s+)?(?=(?:when|where|what|who|which|how|whether|if|at|is|are)\b)"
    r"|(?:considering|given|judging\s+by|in\s+light\s+of|based\s+on)\s[^?]{1,200}?,\s*"
    r"(?=(?:what|which|who|how|where|when|is|are|does|do|did)\b)"
    r"|(?:whether|if)\s+(?=\w+\s+(?:is|are|was|were)\b)|in\s+your\s+own\s+words\b,?\s*"
    r"|(?:based\s+on|according\s+to|judging\s+from|from|in|throughout|during|for|within)\s+"
    rf"(?:what\s+is\s+shown\s+in\s+)?{VIDEO}\s*,?\s*)",
    re.IGNORECASE,
)
_LEADS = (
    r"(?:what\s+is\s+)?(?:the\s+)?(?:total\s+|overall\s+)?(?:number|count|tally)\s+of\s+"
    r"(?:times|occurrences|instances|appearances)?",
    r"how\s+many\s+(?:separate\s+|different\s+|distinct\s+)?(?:times|occasions)\b",
    r"how\s+many\s+(?:instances|occurrences|appearances|visits)\s+(?:(?:are|were)\s+there\s+)?"
    r"(?:of|to|for)\b",
    rf"how\s+(?:far|long|many\s+(?:seconds|minutes|hours))\s+(?:into|in)\s+{VIDEO}",
    rf"{SHARE}\s+(?:{_SHOWS}|(?:is|was)\s+(?:spent\s+(?:on|with|in)|about))\b",
    rf"{SHARE}\b",
    r"how\s+long\s+ago\b",
    r"(?:for\s+)?how\s+(?:long|much\s+time|many\s+(?:seconds|minutes|hours))\b",
    r"how\s+(?:often|frequently|many|much(?:\s+time)?)\b",
    r"(?:count|number)(?:\s+of)?(?:\s+(?:how\s+many\s+times|all|the\s+number\s+of(?:\s+times)?))?\b",
    r"(?:what\s+is\s+|what\s+was\s+|what's\s+)?(?:the\s+)?(?:total\s+)?(?:duration|length)\s+of\b",
    r"(?:at|on|in|during|around)?\s*(?:what|which)\s+(?:exact\s+|specific\s+)?"
    r"(?:time|times|moment|moments|point|points|timestamp|part|period|minute|second)\b"
    rf"(?:\s+(?:in|of|during)\s+{VIDEO})?",
    rf"where\s+(?:in|during)\s+{VIDEO}",
    rf"(?:in|during|throughout)\s+{VIDEO}",
    r"(?:show|find|locate|get|give|jump|go|take|skip|bring)(?:\s+me)?(?:\s+to)?(?:\s+(?:all\s+)?"
    r"(?:the\s+)?(?:exact\s+)?(?:moments?|parts?|points?|times?|scenes?|segments?|places?)"
    r"\s+(?:when|where|in\s+which|that|with|of|at\s+which))?\b",
    r"(?:list|show|find|give)(?:\s+me)?\s+(?:all\s+|every\s+)?(?:of\s+)?(?:the\s+)?"
    r"(?:times?|moments?|timestamps?)\b(?:\s+(?:when|where|that|(?:at|in)\s+which|of)\b)?",
    r"(?:search|look)\s+for\b",
    r"(?:the\s+)?(?:moments?|parts?|points?|times?)\s+(?:when|where|in\s+which|at\s+which|that)\b",
    r"(?:what|which)\s+(?:one\s+)?of\s+(?:the\s+following|these)(?:\s+(?:options?|choices|statements"
    r"|descriptions|events|elements|things))?(?:\s+(?:best|correctly))?"
    r"(?:\s+(?:describes?|summari[sz]es?|matches|shows?))?\b",
    r"(?:what|which)\s+(?:is\s+|are\s+|was\s+)?(?:the\s+)?(?:main\s+|dominant\s+|background\s+)?"
    r"colou?rs?\s+(?:is|are|was|were|of|does|do|did)\b",
    r"(?:describe|summari[sz]e|explain|outline|recap|discuss|analy[sz]e|illustrate|compare|evaluate"
    r"|assess|elaborate(?:\s+on)?)\b(?:\s+(?:to\s+me|for\s+me)\b)?",
    r"(?:tell\s+me\s+about|talk\s+about|give\s+(?:me\s+)?(?:a|an)\s+(?:brief\s+|short\s+)?"
    r"(?:summary|overview|description)\s+of|list)\b",
    r"when(?:'s|\s+exactly)?\b",
    r"(?:what|who|where|which|how)(?:'s|'re|s(?=\s))?\b",
    r"(?:whom|whose|why)\b",
    rf"{_AUX}\s+there\b(?:\s+(?:be|been)\b)?",
    rf"{_AUX}\s+{VIDEO}\s+(?:ever\s+)?{_SHOWS}\b",
    rf"{_AUX}\s+{_VIEWER}\s+(?:ever\s+)?(?:able\s+to\s+)?{_SEE}\b",
    rf"{_VIEWER}\s+(?:can\s+|could\s+|did\s+)?{_SEE}\b",
    rf"{_AUX}\b(?!\s*-)",
    r"(?:there|ever|any|actually|still|also|really|happening|happens|happened|occurring|occurs"
    r"|occurred|shown|seen|visible|displayed|depicted|going\s+on)\b",
    rf"{VIDEO}\s+{_SHOWS}\b",
    r"(?:can|could)\s+be\s+seen\b",
    # "When is it dark?" is about nothing that "it" could stand for.
    r"it(?:'?s)?(?=\s+(?:(?:very|too|so|quite|almost)\s+)?(?:dark|bright|light|day|night|rains?|raining|snows?"
    r"|snowing|sunny|foggy|cloudy|windy|red|green|blue|yellow|black|white|gr[ae]y)\b)",
    r"(?:times|of|that|moments?\s+of)\b",
    r"on\s+(?:the\s+)?screen$",
)
_LEAD = re.compile(rf"^[\s,;:.-]*(?:{'|'.join(_LEADS)})(?=\s|$|[,;:?.!])", re.IGNORECASE)
_TRAILS = (
    rf"(?:in|of|on|from|during|throughout|within|across)\s+{VIDEO}",
    r"on\s+(?:the\s+)?screen",
    r"(?:is|are|was|were|be|being|been|gets?|got|first|finally|ever|also|to|to\s+be|can\s+be)\s+"
    r"(?:shown|seen|visible|displayed|present|there|depicted|found|on)",
    r"(?:shown|seen|visible|displayed|(?<!the\s)(?<!a\s)present|depicted|on\s+display|in\s+(?:view|sight|frame|shot|the\s+(?:picture|image|frame|shot)))",
    r"(?:starts?|begins?|begin|started|began)?\s*(?:to\s+)?(?:appear(?:s|ed|ing)?|show(?:s|ed|n)?\s+up"
    r"|happen(?:s|ed|ing)?|occur(?:s|red|ring)?|takes?\s+place|took\s+place|pops?\s+up|exists?)",
    r"(?:comes?|came)(?:\s+(?:up|on|back|into\s+(?:view|frame)|in))?",
    r"(?:again|still|at\s+all|anywhere|somewhere|in\s+total|altogether|overall|please|ever|exactly|"
    r"at\s+any\s+(?:point|time|moment)|at\s+some\s+point|there|in\s+it|looks?\s+like|going\s+on)",
    r"(?:is|are|was|were|does|do|did|has|have|be|been|being)",
    r"(?:starts?|begins?|started|began)",
)
_TRAIL = re.compile(rf"(?:^|(?<=\s))(?:{'|'.join(_TRAILS)})[\s,;:.?!]*$", re.IGNORECASE)
_LASTS = re.compile(
    r"\s+(?:lasts?|lasted|goes\s+on|go\s+on|continues?|continued|stays?(?:\s+(?:on|visible))?|"
    r"remains?(?:\s+(?:on|visible))?)(?:\s+for)?[\s?.!]*$",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"\s+(?:ends?|ended|finish(?:es|ed)?|disappears?|disappeared|vanish(?:es|ed)?|"
    r"goes\s+away|go\s+away|went\s+away|stops?\s+being\s+(?:shown|visible))[\s?.!]*$",
    re.IGNORECASE,
)
# Names of the recording and its parts, which every moment would match, and words that name nothing;
# those only in small letters: "when is A written?" asks for a letter.
_EMPTY = re.compile(
    r"(?-i:(?:(?:the|an?|and|or|of)\b\s*)+)|"
    rf"{VIDEO}|(?:(?:all|each|every|the|main|key|different|entire|whole|any|this|that|of|a)\s+)*"
    r"(?:videos?|scenes?|events?|actions?|colou?rs?|things?|parts?|segments?|timeline|summary|"
    r"chapters?|it|this|that|what|anything|something|everything|recording|frames?|images?|pictures?)",
    re.IGNORECASE,
)
_PUNCTUATION = " \t\n,;:.?!-–—"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A cleaned phrase, and whether the question asked for the end of what it names."""

    text: str
    asks_end: bool = False


def strip_polite(text: str) -> str:
    """The question behind "Can you please tell me when ..." and "In the video, ..."."""
    while True:
        shorter = POLITE.sub("", text, count=1).lstrip(" ,")
        if shorter == text or not shorter.strip(_PUNCTUATION):
            return text
        text = shorter


def clean_phrase(text: str) -> Phrase:
    """What to look for. Articles, inner verbs and the case of letters stay as written."""
    phrase = text.strip(_PUNCTUATION)
    phrase = _repeat(_LEAD, phrase)
    if _ENDS.search(phrase) and re.match(r"\W*(?:at\s+what|when|what\s+time)", text, re.IGNORECASE):
        return Phrase(_finish(_ENDS.sub("", phrase)), asks_end=True)
    if re.match(r"\W*(?:for\s+)?how\s+(?:long|much|many)", text, re.IGNORECASE):
        phrase = _LASTS.sub("", f" {phrase}").strip()
    return Phrase(_finish(phrase))


def clean_anchor(text: str) -> str:
    """The phrase of another event: as `clean_phrase`, for a clause such as "the dog appears"."""
    phrase = text.strip(_PUNCTUATION)
    phrase = _ENDS.sub("", f" {phrase}").strip() or phrase
    phrase = re.sub(r"^(?:we|you|i)\s+(?:see|saw|can\s+see)\s+", "", phrase, flags=re.IGNORECASE)
    phrase = re.sub(r"^there\s+(?:is|are|was|were)\s+", "", phrase, flags=re.IGNORECASE)
    phrase = re.sub(
        r"^(?:seeing|the\s+(?:appearance|moment|time|point|end|start|beginning)\s+of)\s+",
        "",
        phrase,
        flags=re.IGNORECASE,
    )
    # "After that": what it refers to is unknown, but that it refers to something is not.
    return _finish(phrase) or phrase


def _finish(phrase: str) -> str:
    phrase = _repeat(_TRAIL, phrase)
    if _EMPTY.fullmatch(phrase):
        return ""
    phrase = re.sub(
        r"\b(?:you|we)\s+(?:can\s+|could\s+)?(?:see|saw)\b", " ", phrase, flags=re.IGNORECASE
    )
    return " ".join(phrase.split()).strip(_PUNCTUATION)


def _repeat(pattern: re.Pattern[str], phrase: str) -> str:
    while True:
        shorter = pattern.sub("", phrase, count=1).strip(_PUNCTUATION)
        if shorter == phrase:
            return phrase
        phrase = shorter
