"""Questions in English about a script, each with what a right answer is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from streammem.bench.asking.names import Script, Visit

Choice = str | None
QUESTIONS_OF_A_TASK = 8
ORDER_ITEMS = 4
OPTIONS = 4
_NTH = ("second", "third", "fourth", "fifth")
# An answer about an instant is asked for this share of an event after its start.
_INTO_EVENT = 0.7


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a task, and what is right.

    `span_s` is the event to be named as the best evidence; `value` the number, seconds or truth;
    `order` the names in order; `name` what must be named; `choice` the right one of `choices`.
    `at_s` is when it is asked, None for the end of the stream.
    """

    task: str
    text: str
    span_s: tuple[float, float] | None = None
    value: float | bool | None = None
    order: tuple[str, ...] = ()
    name: str | None = None
    choices: tuple[str, ...] = ()
    choice: Choice = None
    at_s: float | None = None


Template = Callable[[Script, np.random.Generator], Iterator[Asked]]


def questions(script: Script, rng: np.random.Generator) -> list[Asked]:
    """At most eight questions of every task that the script allows, of existence all."""
    asked: list[Asked] = []
    for task, template in TASKS.items():
        most = len(script.names) if task == "exists" else QUESTIONS_OF_A_TASK
        asked += _first(template(script, rng), most)
    return asked


def _first(items: Iterator[Asked], count: int) -> list[Asked]:
    return [item for item, _ in zip(items, range(count), strict=False)]


def _shuffled(items: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [items[index] for index in rng.permutation(len(items))]


def _one_of(rng: np.random.Generator, *texts: str) -> str:
    return texts[int(rng.integers(len(texts)))]


def _span(visit: Visit) -> tuple[float, float]:
    return visit.start_s, visit.end_s


def _first_shown(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in _shuffled(script.names, rng):
        text = _one_of(
            rng,
            f"When does the {name} first appear?",
            f"When is the {name} seen for the first time?",
            f"At what time is the first {name} shown?",
        )
        yield Asked("first", text, _span(script.of(name)[0]))


def _last_shown(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in _shuffled(script.names, rng):
        text = _one_of(
            rng,
            f"When is the {name} shown for the last time?",
            f"When was the {name} last seen?",
            f"At what time does the {name} appear last?",
        )
        yield Asked("last", text, _span(script.of(name)[-1]))


def _nth_shown(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in _shuffled(script.names, rng):
        visits = script.of(name)
        if len(visits) > 1:
            place = int(rng.integers(1, min(len(visits), len(_NTH) + 1)))
            rank = _NTH[place - 1]
            text = _one_of(
                rng,
                f"When does the {name} appear for the {rank} time?",
                f"When is the {rank} time that the {name} is seen?",
            )
            yield Asked("nth", text, _span(visits[place]))


def _after(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for anchor, name, visits in _around(script, rng):
        later = [visit for visit in visits if visit.start_s >= anchor.end_s]
        if later:
            text = _one_of(
                rng,
                f"When is the {name} seen after the {anchor.name}?",
                f"After the {anchor.name}, when does the {name} appear?",
            )
            yield Asked("after", text, _span(later[0]))


def _before(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for anchor, name, visits in _around(script, rng):
        earlier = [visit for visit in visits if visit.end_s <= anchor.start_s]
        if earlier:
            text = _one_of(
                rng,
                f"When is the {name} seen before the {anchor.name}?",
                f"Before the {anchor.name} is shown, when does the {name} appear?",
            )
            yield Asked("before", text, _span(earlier[-1]))


def _around(script: Script, rng: np.random.Generator) -> Iterator[tuple[Visit, str, list[Visit]]]:
    """Events that happen once, each with another name and its events."""
    for once in _shuffled(script.once(), rng):
        others = [name for name in script.names if name != once]
        name = _one_of(rng, *others)
        yield script.of(once)[0], name, script.of(name)


def _between(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    once = script.once()
    for first in _shuffled(once, rng):
        start = script.of(first)[0]
        for second in _shuffled(once, rng):
            end = script.of(second)[0]
            inside = [
                v for v in script.visits if start.end_s <= v.start_s and v.end_s <= end.start_s
            ]
            names = list(dict.fromkeys(visit.name for visit in inside))
            if not names:
                continue
            name = _one_of(rng, *names)
            text = f"When is the {name} seen between the {first} and the {second}?"
            yield Asked("between", text, _span(next(v for v in inside if v.name == name)))
            break


def _count(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in _shuffled(script.names, rng):
        text = _one_of(
            rng,
            f"How many times is the {name} shown?",
            f"How often does the {name} appear?",
            f"How many times can the {name} be seen?",
        )
        yield Asked("count", text, value=float(len(script.of(name))))


def _duration(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in _shuffled(script.names, rng):
        text = _one_of(
            rng,
            f"How long is the {name} visible in total?",
            f"For how many seconds is the {name} shown?",
            f"What is the total duration of the {name}?",
        )
        yield Asked("duration", text, value=sum(visit.duration_s for visit in script.of(name)))


def _order(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    while True:
        names = _shuffled(script.names, rng)[:ORDER_ITEMS]
        *most, last = (f"the {name}" for name in names)
        text = f"In which order do {', '.join(most)} and {last} appear?"
        order = sorted(names, key=lambda name: script.of(name)[0].start_s)
        yield Asked("order", text, order=tuple(order))


def _now(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for index in rng.permutation(len(script.visits)).tolist():
        visit = script.visits[index]
        at_s = visit.start_s + _INTO_EVENT * visit.duration_s
        if index % 2:
            text = _one_of(rng, "What is shown right now?", "What can be seen now?")
            yield Asked("now", text, name=visit.name, at_s=at_s)
        else:
            others = [name for name in script.names if name != visit.name]
            name = _one_of(rng, visit.name, _one_of(rng, *others))
            text = f"Is the {name} visible right now?"
            yield Asked("now", text, value=name == visit.name, at_s=at_s)


def _exists(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in _shuffled(script.names, rng):
        text = _one_of(rng, f"Is there a {name}?", f"Does a {name} appear at any time?")
        yield Asked("exists", text, value=True)


def _absence(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    for name in script.absent:
        text = _one_of(rng, f"Is there a {name}?", f"Does a {name} appear at any time?")
        yield Asked("absence", text, value=False)


def _newest(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    """The newest of several events, asked at log-spaced delays: the answer valid then."""
    delays_s = (10.0, 60.0, 600.0, 3_600.0)
    for name in _shuffled(script.names, rng):
        visits = script.of(name)
        for delay_s in delays_s:
            place = int(rng.integers(len(visits)))
            at_s = visits[place].end_s + delay_s
            valid = place + 1 == len(visits) or visits[place + 1].start_s >= at_s
            if len(visits) > 1 and valid and at_s <= script.end_s:
                text = f"When was the {name} last seen?"
                yield Asked("newest", text, _span(visits[place]), at_s=at_s)
                break


def _choose(script: Script, rng: np.random.Generator) -> Iterator[Asked]:
    """Retrieval, ordering and counting with four options."""
    while True:
        names = _shuffled(script.names, rng)
        shown = names[:OPTIONS]
        first = min(shown, key=lambda name: script.of(name)[0].start_s)
        yield _chosen("Which of these is shown first?", shown, first)
        last = max(shown, key=lambda name: script.of(name)[-1].end_s)
        yield _chosen("Which of these is shown last?", shown, last)
        options = [names[0], *_shuffled(script.absent, rng)[: OPTIONS - 1]]
        yield _chosen("Which of these is seen?", options, names[0])
        number = len(script.of(names[0]))
        numbers = [str(max(1, number - 2) + step) for step in range(OPTIONS)]
        yield _chosen(f"How many times is the {names[0]} shown?", numbers, str(number))


def _chosen(text: str, options: Sequence[str], right: str) -> Asked:
    return Asked("choose", text, choices=tuple(options), choice=right)


TASKS: Mapping[str, Template] = MappingProxyType(
    {
        "first": _first_shown,
        "last": _last_shown,
        "nth": _nth_shown,
        "before": _before,
        "after": _after,
        "between": _between,
        "count": _count,
        "duration": _duration,
        "order": _order,
        "now": _now,
        "exists": _exists,
        "absence": _absence,
        "newest": _newest,
        "choose": _choose,
    }
)
"""The tasks in the order of the tables."""


def rotations(asked: Asked) -> Iterator[Asked]:
    """A question with its options turned round, once for each place (VNBench); else as it is."""
    if not asked.choices:
        yield asked
    for turn in range(len(asked.choices)):
        turned = (*asked.choices[turn:], *asked.choices[:turn])
        yield replace(asked, choices=turned)
