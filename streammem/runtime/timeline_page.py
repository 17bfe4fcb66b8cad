"""A timeline as one HTML page that needs nothing else: no network, no script, no other file."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from streammem.core.timebase import format_time
from streammem.core.timelines import Chapter, Quote, Timeline, TimelineEvent

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1e; --paper: #fff; --soft: #6b6b70; --line: #d9d9de;
  --box: #f5f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececef; --paper: #161618; --soft: #a0a0a8;
  --line: #38383d; --box: #212124; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 1.5rem 0 0; } h2 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
.soft, time { color: var(--soft); font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0; padding: 0; }
.event { display: flex; gap: 1rem; padding: .75rem 0; border-top: 1px solid var(--line); }
.event img, .none { width: 12rem; flex: none; align-self: flex-start; border-radius: .4rem;
  background: var(--box); }
.none { aspect-ratio: 16 / 9; }
.event p { margin: 0; } .names { font-weight: 600; }
.bar { display: flex; height: .6rem; margin: .75rem 0; background: var(--box);
  border-radius: .3rem; overflow: hidden; }
.bar a { border-right: 1px solid var(--paper); background: var(--soft); }
.bar a:nth-child(even) { opacity: .55; }
blockquote { margin: .3rem 0 0; padding-left: .6rem; border-left: 3px solid var(--line); }
nav a { color: inherit; }
@media (max-width: 34rem) { .event { flex-direction: column; gap: .4rem; }
  .event img, .none { width: 100%; } }
"""
_CHANNELS = {
    "speech": "said",
    "subtitle": "subtitle",
    "screen_text": "on the screen",
    "sound": "sound",
    "metadata": "file",
}


def page(timelines: Sequence[Timeline]) -> str:
    """The page of some memories, one after the other."""
    title = ", ".join(timeline.memory_id for timeline in timelines) or "nothing"
    body = "\n".join(_memory(place, timeline) for place, timeline in enumerate(timelines))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>Timeline of {escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _memory(place: int, timeline: Timeline) -> str:
    """One memory: a heading, its chapters as links, its events."""
    events = timeline.events
    facts = (
        f"{_span(timeline.start_s, timeline.end_s)}, {_count(len(timeline.chapters), 'chapter')}, "
        f"{_count(len(events), 'event')}"
    )
    lines = [
        f"<h1>{escape(timeline.memory_id)}</h1>",
        f'<p class="soft">{escape(timeline.source)}<br>{facts}</p>',
        *(f'<p class="soft">{escape(text)}</p>' for text in timeline.about),
        _bar(place, timeline),
    ]
    if len(timeline.chapters) > 1:
        lines.append(f"<nav><ol>{''.join(_links(place, timeline.chapters))}</ol></nav>")
    lines += [_chapter(place, number, one) for number, one in enumerate(timeline.chapters, 1)]
    lines += [
        f'<p class="soft">not seen {_span(gap.start_s, gap.end_s)}: {escape(gap.reason)}</p>'
        for gap in timeline.gaps
    ]
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _bar(place: int, timeline: Timeline) -> str:
    """Chapters as parts of a line, as long as they last."""
    parts = "".join(
        f'<a href="#c{place}-{number}" style="flex:{max(chapter.duration_s, 0.001):.3f}" '
        f'title="{escape(_heading(number, chapter))}" '
        f'aria-label="{escape(_heading(number, chapter))}"></a>'
        for number, chapter in enumerate(timeline.chapters, 1)
    )
    return f'<div class="bar">{parts}</div>'


def _links(place: int, chapters: Iterable[Chapter]) -> Iterator[str]:
    for number, chapter in enumerate(chapters, 1):
        span = _span(chapter.start_s, chapter.end_s)
        heading = escape(_heading(number, chapter))
        yield f'<li><a href="#c{place}-{number}">{heading}</a> {span}</li>'


def _heading(number: int, chapter: Chapter) -> str:
    return f"{number}. {chapter.title or 'without a name'}"


def _chapter(place: int, number: int, chapter: Chapter) -> str:
    events = "\n".join(_event(event) for event in chapter.events)
    heading = escape(_heading(number, chapter))
    return f'<section id="c{place}-{number}"><h2>{heading}</h2>\n<ol>\n{events}\n</ol></section>'


def _event(event: TimelineEvent) -> str:
    names = escape(event.title or "cannot be named")
    quotes = "".join(_quote(cue) for cue in event.cues)
    span = f"{_span(event.start_s, event.end_s)}, {event.duration_s:.1f} s"
    return (
        f'<li class="event">{_picture(event)}<div><p class="names">{names}</p>'
        f"<p>{span}</p>{quotes}</div></li>"
    )


def _picture(event: TimelineEvent) -> str:
    if event.picture is None:
        return '<div class="none"></div>'
    data = base64.b64encode(event.picture).decode("ascii")
    alt = escape(f"frame at {format_time(event.time_s)}")
    return f'<img alt="{alt}" src="data:image/webp;base64,{data}">'


def _quote(cue: Quote) -> str:
    how = _CHANNELS.get(cue.channel, cue.channel)
    time = f"<time>{format_time(cue.start_s)}</time>"
    return f"<blockquote>{escape(cue.text)} {time} <span>{escape(how)}</span></blockquote>"


def _span(start_s: float, end_s: float) -> str:
    return f"<time>{format_time(start_s)}</time> to <time>{format_time(end_s)}</time>"
