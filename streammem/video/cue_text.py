"""Subtitle events as demuxers give them, turned into plain text."""

import re

_TAGS = re.compile(r"\{[^{}]*\}")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}.*?(?=\{[^{}]*\\p0[^{}]*\}|$)", re.DOTALL)


def plain_text(dialogue: str) -> str:
    r"""The words of an ASS dialogue text: tags and drawings gone, `\N` a line break."""
    text = _DRAWING.sub("", dialogue)
    text = _MARKUP.sub("", _TAGS.sub("", text))
    text = text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
