"""Alerts and what became of them as lines of at most 80 columns."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streammem.core.timebase import format_time
from streammem_cli.layout import folded

if TYPE_CHECKING:
    from streammem.core.alerts import Alert, ReplayResult, RuleReport

_INDENT = 4
_WORDS = {"cool_down": "in the cool-down", "budget": "by the day's budget"}
_MATERIAL = {"frames": "frames of the file", "cells": "frames that visits in memory stand for"}


def alert_lines(alert: "Alert") -> list[str]:
    """One alert: when, how strong, and who confirmed it."""
    what = alert.name if alert.kind == "seen" else f"{alert.name} (not seen)"
    if alert.confirmed is None:
        what += ", unconfirmed"
    head = f"{format_time(alert.time_s)}  {alert.score:6.1f} of {alert.threshold:4.1f}  "
    lines = folded(what, head, _INDENT)
    for text in (alert.note, alert.thumbnail):
        if text:
            lines += folded(text, " " * _INDENT)
    return lines


def replay_lines(results: "Sequence[ReplayResult]") -> list[str]:
    """What the replays of several targets come to, behind their alerts."""
    lines: list[str] = []
    for result in results:
        name = result.memory_id or result.source
        if result.error is not None:
            lines += folded(result.error.message, f"failed  {name}  ", _INDENT)
            continue
        span = f"{format_time(result.start_s)} - {format_time(result.end_s)}"
        facts = f"{span}, {result.looked_at} {_MATERIAL[result.material]}, {result.encoder}"
        lines += folded(facts, f"{name}  ")
        for rule in result.rules:
            lines += rule_lines(rule)
        for sink in result.sinks:
            counts = ", ".join(f"{sink[key]} {key}" for key in ("delivered", "failed", "dropped"))
            lines += folded(f"{sink['sink']}: {counts}", " " * _INDENT)
    return lines


def rule_lines(rule: "RuleReport") -> Iterator[str]:
    """What became of one rule: counts, reasons, how the camera scores."""
    held = sum(rule.suppressed.values())
    counts = f"{rule.alerts} alert{'' if rule.alerts == 1 else 's'}"
    if held:
        reasons = [
            f"{count} {_WORDS.get(reason, 'refused by the answerer')}"
            for reason, count in rule.suppressed.items()
            if count
        ]
        counts += f", {held} held back ({', '.join(reasons)})"
    yield from folded(f"{rule.name}: {counts}", "  ", _INDENT)
    site = rule.site
    if site is None:
        yield from folded(
            f"the camera is not known yet after {rule.learning_s:.0f} s: nothing could alert",
            " " * _INDENT,
        )
    else:
        facts = f"usual score {site.zero:.2f}, deviation {site.spread:.3f}, "
        facts += f"seen {site.low:.2f} to {site.high:.2f} in {site.learnt} frames learnt"
        yield from folded(facts, " " * _INDENT)
    for note in rule.notes:
        yield from folded(f"note: {note}", " " * _INDENT)
