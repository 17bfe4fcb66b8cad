"""The bars of `streammem bench questions`, and what was reached."""

from collections.abc import Iterator, Mapping
from typing import Any

from streammem.bench.bars import Bar
from streammem.bench.contestants import OURS

MOST_LOSS = 0.05
_LEAST = {
    "first": 0.9,
    "last": 0.9,
    "before": 0.9,
    "after": 0.9,
    "between": 0.9,
    "nth": 0.9,
    "count": 0.85,
    "kendall": 0.9,
    "absence_f1": 0.9,
}
_MOST = {"duration_error": 0.1}


def bars(results: list[dict[str, Any]]) -> list[Bar]:
    """What the default memory reached on scripts as features; none for a run without it."""
    found: list[Bar] = []
    for protocol in results:
        if protocol["protocol"] != "features":
            continue
        plain: Mapping[str, float] = {}
        for case in protocol["cases"]:
            reached = _means(case)
            if not reached:
                continue
            where = f"{case['name']}, load {case['facts']['load']:.2g}"
            if case["facts"]["staging"]["stretch"] == 1:
                plain = reached
                found += _plain_bars(case["name"], reached)
            elif plain:
                found += _loss_bars(where, plain, reached)
    return found


def _means(case: Mapping[str, Any]) -> dict[str, float]:
    ours = next((entry for entry in case["policies"] if entry["policy"] == OURS), None)
    if ours is None or ours["status"] != "done":
        return {}
    return {name: float(figure["mean"]) for name, figure in ours["metrics"].items()}


def _plain_bars(where: str, reached: Mapping[str, float]) -> Iterator[Bar]:
    for metric, least in _LEAST.items():
        if metric in reached:
            met = reached[metric] >= least
            yield Bar(f"{metric} at least {least}: {where}", met, f"{reached[metric]:.3f}")
    for metric, most in _MOST.items():
        if metric in reached:
            met = reached[metric] <= most
            yield Bar(f"{metric} at most {most}: {where}", met, f"{reached[metric]:.3f}")


def _loss_bars(
    where: str, plain: Mapping[str, float], reached: Mapping[str, float]
) -> Iterator[Bar]:
    for metric in (*_LEAST, *_MOST):
        if metric in plain and metric in reached:
            loss = plain[metric] - reached[metric]
            loss = -loss if metric in _MOST else loss
            name = f"{metric} within {MOST_LOSS} of the plain script: {where}"
            yield Bar(name, loss <= MOST_LOSS, f"{reached[metric]:.3f} against {plain[metric]:.3f}")
