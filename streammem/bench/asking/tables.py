"""The tables of `streammem bench questions`: a task a line, a case a column."""

from collections.abc import Mapping, Sequence
from typing import Any

from streammem.bench.tables import aligned, bar_lines, bar_text, case_title, with_interval

_CASES_ABREAST = 3


def text_tables(document: Mapping[str, Any]) -> str:
    """Every protocol's figures with their intervals, then the bars; at most 80 columns."""
    blocks = [block for protocol in document["results"] for block in _protocol_blocks(protocol)]
    return "\n\n".join([*blocks, bar_text(document)]).rstrip()


def _protocol_blocks(protocol: Mapping[str, Any]) -> list[str]:
    cases = protocol["cases"]
    head = [f"{protocol['protocol']}: {protocol['title']}"]
    head += [f"  [{number}] {case_title(case)}" for number, case in enumerate(cases, 1)]
    blocks = ["\n".join(head)]
    for policy in _policies(cases):
        for first in range(0, len(cases), _CASES_ABREAST):
            abreast = list(enumerate(cases, 1))[first : first + _CASES_ABREAST]
            rows = [[policy, *(f"[{number}]" for number, _ in abreast)]]
            for column in protocol["columns"]:
                cells = [_figure(case, policy, column["metric"]) for _, case in abreast]
                if any(cell != "-" for cell in cells):
                    rows.append([column["title"], *cells])
            blocks.append("\n".join(aligned(rows)))
    return blocks


def _policies(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    return [entry["policy"] for entry in cases[0]["policies"]] if cases else []


def _figure(case: Mapping[str, Any], policy: str, metric: str) -> str:
    entry = next(entry for entry in case["policies"] if entry["policy"] == policy)
    if entry["status"] != "done":
        return str(entry["status"])
    return with_interval(entry["metrics"].get(metric))


def markdown(document: Mapping[str, Any]) -> str:
    """The same as a file."""
    seeds = document["seeds"]
    where = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    machine = document["machine"]
    lines = [
        "# streammem bench questions",
        "",
        f"`{document['command_line']}`, {where}, {machine['processor']}, "
        f"{machine['cores']} cores, streammem {machine['versions']['streammem']}. "
        "Means over scripts with 95 % bootstrap intervals.",
    ]
    if document["bars"]:
        lines += ["", "## Bars", "", *(f"- {line}" for line in bar_lines(document))]
    for protocol in document["results"]:
        lines += ["", f"## {protocol['protocol']}: {protocol['title']}"]
        cases = protocol["cases"]
        for policy in _policies(cases):
            lines += ["", *_markdown_policy(protocol, cases, policy)]
    return "\n".join(lines) + "\n"


def _markdown_policy(
    protocol: Mapping[str, Any], cases: Sequence[Mapping[str, Any]], policy: str
) -> list[str]:
    lines = [
        f"| {policy} | " + " | ".join(case_title(case) for case in cases) + " |",
        "| --- " * (len(cases) + 1) + "|",
    ]
    for column in protocol["columns"]:
        cells = [_figure(case, policy, column["metric"]) for case in cases]
        if any(cell != "-" for cell in cells):
            lines.append(f"| {column['title']} | " + " | ".join(cells) + " |")
    return lines
