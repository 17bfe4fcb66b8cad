"""The bars of DESIGN 11 that a run can judge, with what was reached."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streammem.bench.contestants import OURS, UPPER_BOUND
from streammem.bench.planted import LONG, TABLE
from streammem.bench.protocols.planted_streams import CELLS, DIM, FEW_CELLS
from streammem.bench.request import cell_bytes

MARGIN = 0.02
HARNESS = 0.98
_FEW_BYTES, _MANY_BYTES = FEW_CELLS * cell_bytes(DIM), CELLS * cell_bytes(DIM)
_FIRST, _SECOND, _THIRD, _FOURTH = TABLE
RECALL_BARS = {
    (_FIRST, _MANY_BYTES): (0.95, 0.95),
    (_SECOND, _MANY_BYTES): (0.95, 0.95),
    (_THIRD, _MANY_BYTES): (0.90, 0.90),
    (_FOURTH, _MANY_BYTES): (0.90, 0.90),
    (LONG, _MANY_BYTES): (0.90, 0.90),
    (_FOURTH, _FEW_BYTES): (0.70, 0.60),
}
"""(needle, event) R@1 of DESIGN 11 by stream and budget."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, whether it was met, and the figure that decides."""

    name: str
    met: bool
    reached: str

    def to_json(self) -> dict[str, Any]:
        """The entry of `bars`."""
        return asdict(self)


def bars(results: list[dict[str, Any]]) -> list[Bar]:
    """The bars that the measured protocols can judge; none for a run without the default."""
    found: list[Bar] = []
    for protocol in results:
        for case in protocol["cases"]:
            entries = {entry["policy"]: entry for entry in case["policies"]}
            ours = entries.get(OURS)
            if ours is None or ours["status"] != "done":
                continue
            if protocol["protocol"] == "streams":
                found += _recall_bars(case, entries, ours)
            elif protocol["protocol"] == "scale":
                found += _scale_bars(case, ours)
    return found


def _recall_bars(
    case: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], ours: Mapping[str, Any]
) -> Iterator[Bar]:
    where = f"{case['name']}, {case['budget_bytes']} bytes"
    wanted = RECALL_BARS.get((case["name"], case["budget_bytes"]))
    if wanted is not None:
        reached = tuple(_mean(ours, f"{kind}_r1") for kind in ("needle", "event"))
        met = all(got >= bar for got, bar in zip(reached, wanted, strict=True))
        yield Bar(
            f"needle / event R@1 at least {wanted[0]:.2f} / {wanted[1]:.2f}: {where}",
            met,
            f"{reached[0]:.3f} / {reached[1]:.3f}",
        )
    for kind in ("needle", "event"):
        metric = f"{kind}_r1"
        if metric not in ours["metrics"]:
            continue
        others = {
            name: _mean(entry, metric)
            for name, entry in entries.items()
            if metric in entry["metrics"] and not name.startswith((OURS, UPPER_BOUND))
        }
        if others:
            best = max(others, key=lambda name: others[name])
            ahead = others[best] - _mean(ours, metric)
            yield Bar(
                f"no bounded policy is ahead by more than {MARGIN} in {kind} R@1: {where}",
                ahead <= MARGIN,
                f"{best} {ahead:+.3f}",
            )
        if UPPER_BOUND in entries and metric in entries[UPPER_BOUND]["metrics"]:
            bound = _mean(entries[UPPER_BOUND], metric)
            yield Bar(
                f"{UPPER_BOUND} reaches {HARNESS} in {kind} R@1: {where}",
                bound >= HARNESS,
                f"{bound:.3f}",
            )


def _scale_bars(case: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[Bar]:
    where = case["name"]
    over = _mean(ours, "over_budget")
    yield Bar(f"within the budget after every call: {where}", over == 0, f"{over:.0f} bytes over")
    if case["frames"] < 1_000_000:
        return
    change, speed = _mean(ours, "nbytes_change"), _mean(ours, "frames_per_s")
    yield Bar(
        f"bytes differ by at most 2 % since a tenth: {where}", change <= 0.02, f"{change:.2%}"
    )
    yield Bar(f"over 20,000 frames/s: {where}", speed > 20_000, f"{speed:,.0f}")
    single_ms = _mean(ours, "write_p99_ms")
    yield Bar(f"p99 of writing one frame under 5 ms: {where}", single_ms < 5, f"{single_ms:.2f} ms")
    for metric in ("nbytes_slope", "rss_slope"):
        if metric in ours["metrics"]:
            slope = _mean(ours, metric)
            name = f"{metric.removesuffix('_slope')} grows under 1 byte a frame: {where}"
            yield Bar(name, slope < 1, f"{slope:.3f}")


def _mean(entry: Mapping[str, Any], metric: str) -> float:
    return float(entry["metrics"][metric]["mean"])
