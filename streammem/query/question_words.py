"""Words that questions of every kind share, each class listed once; all are patterns."""

# Without brackets, because others add words of their own.
FINITE = "is|are|was|were|does|do|did|has|have|had|can|could|will|would"
WH = "what|who|whom|whose|which|where|how|when"
CONTRACTED = (
    "isn't|aren't|wasn't|weren't|doesn't|don't|didn't|hasn't|haven't|hadn't|can't|couldn't|won't"
    "|wouldn't"
)
AUXILIARY = rf"(?:{FINITE})"
_RECORDING = (
    r"(?:(?:the|this|that|my|your)\s+)?(?:(?:entire|whole|given)\s+)?"
    r"(?:video|clip|footage|recording|stream|film|movie|tape|file|memory)"
)
VIDEO = rf"{_RECORDING}(?:\s+(?:sequence|clip|segment))?"
SHARE = (
    r"(?:how\s+much|(?:what|which)\s+(?:percentage|percent|share|fraction|proportion|portion))\s+of"
    rf"\s+(?:{VIDEO}|the\s+time)"
)
