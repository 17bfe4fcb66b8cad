"""Order words of a question: which other event, ordinal or list fixes the time."""

import re
from dataclasses import dataclass

from streammem.query.number_words import ORDINAL, ordinal_value
from streammem.query.options import numbered_items, split_list
from streammem.query.phrase import clean_anchor
from streammem.query.question_words import AUXILIARY, VIDEO, WH
from streammem.query.time_atoms import DURATION, duration_value

_WH = rf"(?:{WH}|what's)"
_DETERMINER = (
    r"(?:the|a|an|he|she|they|it|we|i|you|this|that|these|those|his|her|their|its|my|our|your"
    r"|someone|somebody|people|everyone)"
)
_ADVERB = r"(?:(?:right|immediately|directly|just|shortly|soon|straight|only|ever|even)\s+)?"
_BEFORE = r"before|until|till|prior\s+to|preceding|ahead\s+of|earlier\s+than|by\s+the\s+time"
_AFTER = rf"after|as\s+soon\s+as|(?:ever\s+)?since|once(?=\s+{_DETERMINER}\b)|later\s+than|upon"
_AFTER += rf"|(?<!the\s)(?<!of\s)following(?=\s+{_DETERMINER}\b)"
_WHILE = r"while|whilst|during|as\s+long\s+as|at\s+the\s+same\s+time\s+as|simultaneously\s+with"
_AS = (
    r"(?<!such\s)(?<!same\s)(?<!known\s)(?<!used\s)(?<!described\s)(?<!well\s)(?<!much\s)(?<!many\s)"
    r"(?<!far\s)(?<!seen\s)(?<!shown\s)(?<!served\s)(?<!dressed\s)(?<!disguised\s)(?<!identified\s)"
    r"(?<!referred\sto\s)(?<!defined\s)(?<!regarded\s)(?<!labeled\s)(?<!revealed\s)(?<!long\s)"
    r"as(?=\s+(?:the|he|she|they|it|we|i|you|his|her|their|its|someone|people)\s+\S+\s+\S+)"
)
_MARKER = re.compile(
    rf"(?:(?P<offset>{DURATION})\s+)?(?:\b{_ADVERB})\b(?:(?P<before>{_BEFORE})|(?P<after>{_AFTER})"
    rf"|(?P<while>{_WHILE}|{_AS})|(?P<when>when|whenever))\s+",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"(?<!is )(?<!'s )(?<!are )(?<!was )(?<!were )(?<!located )(?<!placed )(?<!standing )"
    r"(?<!sitting )(?<!difference )(?<!relationship )(?<!distance )(?<!choose )"
    r"(?<!distinguish )(?<!relation )(?<!angle )(?<!gap )(?<!fight )(?<!match )(?<!game )"
    r"(?<!battle )(?<!contrast )(?<!connection )(?<!link )(?<!interaction )(?<!conversation )"
    r"(?<!similarity )(?<!similarities )(?<!differences )(?<!comparison )"
    rf"\bbetween\s+(?P<a>(?:the\s+(?:moment|time)\s+)?.+?)\s+and\s+(?P<b>.+?)"
    rf"(?=[,?]|$|\s+{AUXILIARY}\s+{_DETERMINER}\s)",
    re.IGNORECASE,
)
_AFTER_BEFORE = re.compile(
    r"\b(?:after|from|since)\s+(?P<a>.+?)\s*,?\s+(?:and\s+|but\s+)?(?:before|until|till)\s+(?P<b>.+)$",
    re.IGNORECASE,
)
_BEFORE_AFTER = re.compile(
    r"\bbefore\s+(?P<b>.+?)\s*,?\s+(?:and\s+|but\s+)after\s+(?P<a>.+)$", re.IGNORECASE
)
_FOLLOWED = re.compile(
    r"^(?P<x>.+?)\s+(?:(?P<after>(?:immediately\s+)?(?:followed|succeeded)\s+by)"
    r"|(?P<before>(?:immediately\s+)?preceded\s+by))\s+(?P<y>.+)$",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(
    r"^(?P<who>what|which(?:\s+\w+)?|who)\s+(?:(?P<after>follows?|followed|succeeds?)"
    r"|(?P<before>precedes?|preceded))\s+(?P<y>.+)$",
    re.IGNORECASE,
)
# Where another event fixes the time, an order without a list of events is only a word.
_UNANCHORED = r"^(?!.*\b(?:before|after)\b)"
_ARRANGE = re.compile(
    r"\b(?:arrange|sort|put|rank)\b.*\b(?:order|sequence|chronological\w*)\b"
    r"|\bin\s+(?:what|which)\s+(?:order|sequence)\b"
    r"|\b(?:chronological|correct|right|temporal)\s+(?:chronological\s+)?(?:order|sequence)\b"
    r"|\b(?:the\s+)?(?:order|sequence)\s+of\s+(?:the\s+)?(?:\w+\s+)?(?:events?|appearances?|scenes?|"
    r"actions?|steps?|presentation|occurrences?)\b"
    r"|\bcorresponds?\s+to\s+the\s+(?:order|sequence)\b|\bsorts?\s+the\s+(?:order|sequence)\b"
    rf"|{_UNANCHORED}.*?\bwhat(?:'s|\s+is|\s+was|\s+would\s+be)\s+the\s+(?:order|sequence)\s+of\b"
    rf"|{_UNANCHORED}\W*(?:what|which)\b.*\bin\s+order\W*$"
    r"|\border\s+(?:in\s+which|that)\b|\bhow\s+the\s+scenes\b.*\bchange\b|\b(?:arrange|sort)\s+(?:the|these)\b"
    r"|^\W*(?:arrange|sort|order)\b[^:?]*:",
    re.IGNORECASE,
)
_ARRANGED = re.compile(
    rf"\b(?:order|sequence)\s+(?:do|did|does|are|were)\s+(?P<list>.+?)(?:\s+(?:appear|occur|happen|"
    rf"come|take\s+place|shown|get|first)\w*)?(?:\s+(?:in|on)\s+{VIDEO})?[?.\s]*$",
    re.IGNORECASE,
)
_SORTED = re.compile(
    r"^(?:please\s+)?(?:arrange|sort|put|rank|order)\s+(?!.*\bfollowing\b)(?P<list>.+?)\s+"
    r"(?:in|by|into|according)\b.*\b(?:order|sequence|time|appearance|chronologically)\b",
    re.IGNORECASE,
)
# Places, names and fixed expressions in which an ordinal fixes no time.
_NOT_IN_TIME = (
    r"(?!\s+(?:aid|person\s+view|place|prize|floor|row|line|column|name|half|hand|base|class|grade|"
    r"street|avenue|night|week|year|month|names|layer|drawer|shelf|lane|side|finger|point|question|"
    r"few|of\s+all)\b)"
)
_COUNTED_NOUN = r"(?:time|appearance|occurrence|instance|visit|moment|sighting|showing|occasion)"
_THING_NOUN = r"(?:thing|event|scene|shot|segment|part|item|clip|image|picture|frame)"
_OWNER = r"(?:\b(?P<lead>for\s+)?(?P<article>the|a|its|his|her|their)\s+)?(?:\bvery\s+)?"
_NOUN = rf"(?P<noun>\s+{_COUNTED_NOUN}\b(?:\s+(?:that|when|of))?)?"
_FIRST = re.compile(
    rf"(?:\bat\s+(?=first\b))?{_OWNER}\b(?:first|earliest|initially)\b{_NOT_IN_TIME}{_NOUN}",
    re.IGNORECASE,
)
_LAST = re.compile(
    rf"(?:\bat\s+(?=last\b))?{_OWNER}\b(?:last|final|latest|most\s+recent|most\s+recently|finally|lastly)\b"
    rf"(?!\s+(?:for|until|s)\b){_NOT_IN_TIME}{_NOUN}",
    re.IGNORECASE,
)
_LASTS = re.compile(
    # What appears last does not last.
    r"\b(?:does|do|did|will)\b.+(?<!\bat\s)(?<!\bappear\s)(?<!\bcome\s)(?<!\bhappen\s)"
    r"(?<!\boccur\s)\blast\b[\s?.]*$|\bhow\s+long\b",
    re.IGNORECASE,
)
_NTH = re.compile(
    rf"\b(?P<lead>for\s+)?(?P<article>the|a|its|his|her|their)\s+(?P<n>{ORDINAL})\b{_NOT_IN_TIME}"
    r"(?P<back>\s+(?:to\s+(?:the\s+)?last|from\s+(?:the\s+)?(?:last|end)))?"
    rf"{_NOUN}|\b(?P<m>{ORDINAL})\s+{_COUNTED_NOUN}\b"
    rf"|(?:(?<=\bcomes\s)|(?<=\bcame\s)|(?<=\bcome\s)|(?<=\bappears\s)|(?<=\bappear\s)"
    rf"|(?<=\bappeared\s)|(?<=\bshown\s)|(?<=\bhappens\s))(?P<k>{ORDINAL})\b(?!\s+(?:hand|aid))",
    re.IGNORECASE,
)
_PENULTIMATE = re.compile(
    rf"{_OWNER}\b(?:penultimate|second\s+to\s+last|next\s+to\s+last)\b{_NOUN}", re.IGNORECASE
)
_NEXT = re.compile(
    r"\b(?:the\s+)?next(?!\s+(?:to|door)\b)(?:\s+(?:thing|event|scene|time|action|step))?\b"
    r"|\b(?:afterwards?|subsequently|thereafter)\b",
    re.IGNORECASE,
)
# "What does he do then?" asks on; "what was said then?" asks about that time.
_THEN = re.compile(r"(?<!and\s)(?<!back\s)(?<!by\s)\bthen(?=\s*[?.!]*\s*$)", re.IGNORECASE)
_ACTS = re.compile(r"\b(?:what|who|where)\s+(?:do|does|did|happens|happened)\b", re.IGNORECASE)
_SPLIT_QUESTION = re.compile(
    rf"^(?P<clause>.+?)\s*,\s*(?P<main>.+)$|^(?P<clause2>.+?)\s+(?P<main2>{_WH}\b.+)$"
    rf"|^(?P<clause3>.+?)\s+(?P<main3>{AUXILIARY}\s+(?:there|{_DETERMINER})\b.+)$",
    re.IGNORECASE | re.DOTALL,
)
_INNER_AUX = re.compile(rf"\s(?={AUXILIARY}\s)", re.IGNORECASE)
_SUBJECT = re.compile(rf"{AUXILIARY}\s+(?:there|{_DETERMINER})\s+\S", re.IGNORECASE)
_BARE_SUBJECT = re.compile(r"(?:it|he|she|they|we|i|you|there|this|that)", re.IGNORECASE)
_OPEN_MAIN = re.compile(
    r"^(?:how\s+(?:many\s+times|often|long|frequently)|when|at\s+what\s+time)$", re.IGNORECASE
)
# "How much time passes between ..." asks for the time itself and not for what lasts so long.
_INTERVAL = re.compile(
    r"(?:what\s+is\s+the\s+time|how\s+(?:long|much\s+time|many\s+(?:seconds|minutes|hours)))"
    r"(?:\s+(?:is|was|are|were|did|does|do|pass(?:es|ed)?|elapse[sd]?|lies?|it|there|take|last))*\W*",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    rf"^(?:\W*(?:in|at|on|to|for|with|from)\s+)?(?:{_WH}|{AUXILIARY})\b", re.IGNORECASE
)
_NOT_A_CLAUSE = re.compile(
    r"\b(?:time|moment|part|point|scene|place|know|see|tell|say|find)\s*$", re.I
)


@dataclass(frozen=True, slots=True)
class Relation:
    """What fixes the time besides seconds, and the question without it."""

    rest: str
    relation: str | None = None
    anchor: str | None = None
    anchor_end: str | None = None
    ordinal: int | None = None
    items: tuple[str, ...] = ()
    offset_s: float | None = None
    interval: bool = False


def find_relation(text: str) -> Relation:
    """The order relation of a question whose time phrases are already removed."""
    arranged = _arranged(text)
    if arranged is not None:
        return arranged
    text = re.sub(r"\bbefore\s+and\s+after\b", "before", text, flags=re.IGNORECASE)
    text = re.sub(r"\bbefore\s+or\s+(?:right\s+)?after\b", "before", text, flags=re.IGNORECASE)
    text = re.sub(r"\bafter\s+or\s+(?:right\s+)?before\b", "after", text, flags=re.IGNORECASE)
    return _anchored(text) or _followed(text) or _ordinal(text) or Relation(text)


def ranked_anchor(text: str | None) -> tuple[str | None, int | None]:
    """Another event without its ordinal, and which of its visits is meant: "the second dog"."""
    found = _ordinal(text) if text else None
    if found is None or found.relation == "next":
        return text, None
    rank = {"first": 1, "last": -1}.get(found.relation or "", found.ordinal)
    phrase = clean_anchor(found.rest)
    return ("" if phrase.lower() in {"the", "a", "an"} else phrase), rank


def _arranged(text: str) -> Relation | None:
    if not _ARRANGE.search(text):
        return None
    listed = numbered_items(text)
    items = listed.options
    match = _ARRANGED.search(text) or _SORTED.search(text)
    if not items and match is not None:
        items = split_list(match["list"])
    if not items and ":" in text:
        items = split_list(text.split(":", 1)[1])
    items = tuple(item for item in (clean_anchor(item) for item in items) if item)
    return Relation("", "arrange", items=items if len(items) > 1 else ())


def _anchored(text: str) -> Relation | None:
    """Another event in a clause: before, after, while, between."""
    for pattern in (_AFTER_BEFORE, _BEFORE_AFTER, _BETWEEN):
        match = pattern.search(text)
        if match is not None and len(match["a"].split()) + len(match["b"].split()) < 40:
            return _between(text, match)
    for marker in _MARKER.finditer(text):
        head = text[: marker.start()].strip(" ,;")
        tail = text[marker.end() :].strip()
        found = (
            _leading(marker, tail)
            if not head or head.lower() in {"and", "so", "then"}
            else (_trailing(marker, head, tail))
        )
        if found is not None:
            return found
    return None


def _between(text: str, match: re.Match[str]) -> Relation:
    head = text[: match.start()].strip(" ,;")
    clause_end, main = match["b"], text[match.end() :].strip(" ,;")
    if not head:
        split = _SPLIT_QUESTION.match(f"{clause_end}{text[match.end() :]}")
        if split is not None:
            clause_end = split["clause"] or split["clause2"] or split["clause3"]
            main = split["main"] or split["main2"] or split["main3"]
    rest = f"{head} {main}".strip()
    interval = _INTERVAL.fullmatch(rest)
    return Relation(
        rest,
        "between",
        clean_anchor(match["a"]),
        clean_anchor(clause_end),
        interval=interval is not None,
    )


def _leading(marker: re.Match[str], tail: str) -> Relation | None:
    """Read a clause in front: "After the red scene, what appears?"."""
    if marker["when"] and re.match(
        rf"(?:{AUXILIARY}|before|after|while|in|during|exactly)\b", tail, re.IGNORECASE
    ):
        return None
    if re.match(r"(?:which|what)\b", tail, re.IGNORECASE):
        return None
    split = _SPLIT_QUESTION.match(tail)
    if split is None:
        return None
    clause = split["clause"] or split["clause2"] or split["clause3"]
    main = split["main"] or split["main2"] or split["main3"]
    return _make(marker, clause, main)


def _trailing(marker: re.Match[str], head: str, tail: str) -> Relation | None:
    """Read a clause behind: "What appears after the red scene?"."""
    if not tail.strip(" ?.!"):
        return None
    if marker["when"] and (not _QUESTION.match(head) or _NOT_A_CLAUSE.search(head)):
        return None
    if _OPEN_MAIN.match(head):
        inner = _split_inner(tail)
        if inner is not None:
            return _opened(marker, head, *inner)
        if head.lower() == "how long":
            return _opened(marker, head, tail, "")
    clause, _, after = tail.partition(",")
    if after and not _QUESTION.match(after.strip()):
        clause = tail
        after = ""
    return _make(marker, clause, f"{head} {after}")


def _split_inner(text: str) -> tuple[str, str] | None:
    """Split "the man sat down did the dog bark" into its clause and its question."""
    splits = [
        (text[: match.start()], text[match.end() :])
        for match in _INNER_AUX.finditer(text)
        if not _BARE_SUBJECT.fullmatch(text[: match.start()].strip())
    ]
    asking = [split for split in splits if _SUBJECT.match(split[1])]
    loose = [split for split in splits if len(split[1].split()) > 2]
    return next(iter(asking or loose), None)


def _opened(marker: re.Match[str], head: str, clause: str, main: str) -> Relation:
    """Read "how long after X does Y appear": the time from one to the other."""
    if not head.lower().startswith("how long"):
        return _make(marker, clause, f"{head} {main}")
    other = clean_anchor(re.sub(rf"^{AUXILIARY}\s+", "", main, flags=re.IGNORECASE))
    if marker["before"]:
        first, second = (other, clean_anchor(clause)) if other else ("", clean_anchor(clause))
    else:
        first, second = clean_anchor(clause), other
    if first and second:
        return Relation(head, "between", first, second, interval=True)
    return Relation(head, "before" if second else "after", second or first, interval=True)


def _make(marker: re.Match[str], clause: str, main: str) -> Relation:
    relation = "before" if marker["before"] else "after" if marker["after"] else "while"
    inner = _ordinal(main)
    ordinal = None
    if inner is not None and relation in {"before", "after"} and inner.relation != "next":
        ordinal = {"first": 1, "last": -1}.get(inner.relation or "", inner.ordinal)
    use_inner = inner is not None and (ordinal is not None or inner.relation == "next")
    return Relation(
        rest=(inner.rest if inner is not None and use_inner else main).strip(),
        relation="next" if inner and inner.relation == "next" and relation == "after" else relation,
        anchor=clean_anchor(clause),
        ordinal=ordinal,
        offset_s=duration_value(marker["offset"]) if marker["offset"] else None,
    )


def _followed(text: str) -> Relation | None:
    match = _FOLLOWED.match(text)
    if match is not None and not match["x"].lower().endswith("the"):
        relation = "before" if match["after"] else "after"
        return Relation(match["x"], relation, clean_anchor(match["y"]))
    match = _FOLLOWS.match(text)
    if match is not None:
        relation = "after" if match["after"] else "before"
        return Relation(match["who"], relation, clean_anchor(match["y"]))
    return None


def _ordinal(text: str) -> Relation | None:
    """First, last, n-th and next, without another event."""
    match = _PENULTIMATE.search(text)
    if match is not None:
        return Relation(_without(text, match), "nth", ordinal=-2)
    match = _NTH.search(text)
    rank = ordinal_value(match["n"] or match["m"] or match["k"]) if match is not None else None
    if match is not None and rank is not None and (rank > 1 or match["back"]):
        back = bool(match["n"] and match["back"])
        return Relation(_without(text, match), "nth", ordinal=-rank if back else rank)
    match = _FIRST.search(text)
    if match is not None:
        return Relation(_without(text, match), "first")
    match = None if _LASTS.search(text) else _LAST.search(text)
    if match is not None:
        return Relation(_without(text, match), "last")
    match = _NEXT.search(text) or (_THEN.search(text) if _ACTS.search(text) else None)
    return Relation(_without(text, match), "next") if match is not None else None


def _without(text: str, match: re.Match[str]) -> str:
    """The text without its ordinal; a thing noun that stood behind it says nothing visible."""
    groups = match.groupdict()
    head, tail = text[: match.start()], text[match.end() :]
    shorter = re.sub(rf"^\s+{_THING_NOUN}s?\b", "", tail, flags=re.IGNORECASE)
    if shorter != tail:
        # "in the first segment", "during the last scene": the preposition goes with its noun.
        head = re.sub(r"\s(?:in|at|on|for|of|during|from)\s*$", " ", head, flags=re.IGNORECASE)
    elif not groups.get("noun") and groups.get("article") and re.match(r"\s+(?!to\b)\w", tail):
        head = f"{head} {groups.get('lead') or ''}{groups['article']}"
    return " ".join(f"{head} {shorter}".split())
