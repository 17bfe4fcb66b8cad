"""The tables of a result document: compact for a terminal, with intervals for `table.md`."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from streammem.core.budget import format_bytes

_CASES_ABREAST = 6
_PAIR = 2


def text_tables(document: Mapping[str, Any]) -> str:
    """Every protocol's first figures: a policy a line, a case a column."""
    blocks = [_protocol_text(protocol) for protocol in document["results"]]
    blocks.append(bar_text(document))
    return "\n\n".join(block for block in blocks if block)


def bar_lines(document: Mapping[str, Any]) -> list[str]:
    """The bars of DESIGN 11 that were judged: one line each, missed ones first."""
    judged = sorted(document["bars"], key=lambda bar: bool(bar["met"]))
    return [
        f"{'met   ' if bar['met'] else 'MISSED'}  {bar['name']}: {bar['reached']}" for bar in judged
    ]


def bar_text(document: Mapping[str, Any]) -> str:
    """The bars in lines of at most 80 columns."""
    indent = " " * len("MISSED  ")
    lines = [textwrap.fill(line, 80, subsequent_indent=indent) for line in bar_lines(document)]
    return "\n".join(lines)


def _protocol_text(protocol: Mapping[str, Any]) -> str:
    cases = protocol["cases"]
    if not cases:
        return ""
    columns = protocol["columns"][:_PAIR]
    titles = " / ".join(column["title"] for column in columns)
    lines = [f"{protocol['protocol']}: {protocol['title']}", f"figures: {titles}"]
    lines += [f"  [{number}] {case_title(case)}" for number, case in enumerate(cases, 1)]
    for first in range(0, len(cases), _CASES_ABREAST):
        abreast = list(enumerate(cases, 1))[first : first + _CASES_ABREAST]
        header = ["policy", *(f"[{number}]" for number, _ in abreast)]
        policies = [entry["policy"] for entry in abreast[0][1]["policies"]]
        rows = [
            [policy, *(_cell(case["policies"][row], columns) for _, case in abreast)]
            for row, policy in enumerate(policies)
        ]
        lines += ["", *aligned([header, *rows])]
    return "\n".join(lines)


def case_title(case: Mapping[str, Any]) -> str:
    """Name, budget and load of a case."""
    load = case["facts"].get("load")
    parts = [case["name"]]
    if case["budget_bytes"]:
        parts.append(format_bytes(case["budget_bytes"]))
    if load is not None:
        parts.append(f"load {load:.2g}")
    return ", ".join(parts)


def _cell(entry: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]) -> str:
    if entry["status"] != "done":
        return str(entry["status"])
    return "/".join(_number(entry["metrics"].get(column["metric"])) for column in columns)


def _number(figure: Mapping[str, Any] | None) -> str:
    return "-" if figure is None else format_figure(figure["mean"])


def format_figure(value: float) -> str:
    """Two decimals, none for large values."""
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells below each other, padded to the widest of their column."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def markdown(document: Mapping[str, Any]) -> str:
    """All figures with their intervals, a table for each case."""
    lines = [
        "# streammem bench memory",
        "",
        f"`{document['command_line']}`, seeds {_range(document['seeds'])}, "
        f"{document['machine']['processor']}, {document['machine']['cores']} cores, "
        f"streammem {document['machine']['versions']['streammem']}. "
        "Means over streams with 95 % bootstrap intervals.",
    ]
    if document["bars"]:
        lines += ["", "## Bars", "", *(f"- {line}" for line in bar_lines(document))]
    for protocol in document["results"]:
        lines += ["", f"## {protocol['protocol']}: {protocol['title']}"]
        for case in protocol["cases"]:
            lines += ["", f"### {case_title(case)}", "", *_markdown_case(case, protocol["columns"])]
    return "\n".join(lines) + "\n"


def _range(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def _markdown_case(case: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = [c for c in columns if any(c["metric"] in e["metrics"] for e in case["policies"])]
    lines = [
        "| policy | " + " | ".join(column["title"] for column in shown) + " | streams |",
        "| --- " * (len(shown) + 2) + "|",
    ]
    for entry in case["policies"]:
        if entry["status"] == "done":
            cells = [with_interval(entry["metrics"].get(column["metric"])) for column in shown]
        else:
            reason = str(entry["reason"] or "").replace("|", "/")
            cells = [f"{entry['status']}: {reason}", *[""] * (len(shown) - 1)]
        lines.append(f"| {entry['policy']} | " + " | ".join(cells) + f" | {entry['streams']} |")
    return lines


def with_interval(figure: Mapping[str, Any] | None) -> str:
    """The mean and its interval; a dash for what was not measured."""
    if figure is None:
        return "-"
    mean, low, high = (format_figure(figure[name]) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
