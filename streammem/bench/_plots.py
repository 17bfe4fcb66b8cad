"""Draws result documents with matplotlib, the only file that imports it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streammem.bench.tables import case_title
from streammem.core.errors import MissingError

FORMATS = ("svg", "png")
_OURS = "streammem"


def draw(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """One plot of each protocol's main figures, as SVG and PNG; the files.

    Raises:
        MissingError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingError(
            "no plots: matplotlib is not installed",
            hint="pip install 'streammem[bench]'; everything else was written",
        ) from error
    # Equal figures give equal files.
    mpl.rcParams["svg.hashsalt"] = "streammem"
    written = []
    for protocol in document["results"]:
        if not any(entry["metrics"] for case in protocol["cases"] for entry in case["policies"]):
            continue
        figure = Figure(layout="constrained")
        if protocol["axis"]:
            _curves(figure, protocol)
        else:
            _grids(figure, protocol)
        for suffix in FORMATS:
            path = folder / f"{protocol['protocol']}.{suffix}"
            metadata = {"Date": None} if suffix == "svg" else {}
            figure.savefig(path, dpi=150, metadata=metadata)
            written.append(path)
    return written


def _policies(protocol: Mapping[str, Any]) -> list[str]:
    return [entry["policy"] for entry in protocol["cases"][0]["policies"]]


def _main_columns(protocol: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(protocol["columns"][:2])


def _curves(figure: Any, protocol: Mapping[str, Any]) -> None:
    """Figures against the axis of the protocol, one line a policy, its interval as a band."""
    columns = _main_columns(protocol)
    figure.set_size_inches(6.5 * len(columns), 4.8)
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for axis, column in zip(axes, columns, strict=True):
        for number, policy in enumerate(_policies(protocol)):
            points = [
                (_position(case, protocol["axis"]), entry["metrics"][column["metric"]])
                for case in protocol["cases"]
                for entry in case["policies"]
                if entry["policy"] == policy and column["metric"] in entry["metrics"]
            ]
            _curve(axis, sorted(points, key=lambda point: point[0]), policy, number)
        axis.set_xscale("log", base=2 if protocol["axis"] == "load" else 10)
        if not column["higher"]:
            axis.set_yscale("log")
        axis.set_xlabel(protocol["axis"].replace("_", " "))
        axis.set_ylabel(column["title"])
        axis.grid(visible=True, alpha=0.3)
    axes[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle(protocol["title"], fontsize=11)


def _position(case: Mapping[str, Any], axis: str) -> float:
    return float(case[axis] if axis in case else case["facts"][axis])


def _curve(
    axis: Any, points: Sequence[tuple[float, Mapping[str, float]]], policy: str, number: int
) -> None:
    if not points:
        return
    places = [place for place, _ in points]
    ours = policy == _OURS
    (line,) = axis.plot(
        places,
        [figure["mean"] for _, figure in points],
        label=policy,
        color="black" if ours else f"C{number % 10}",
        linewidth=2.5 if ours else 1.2,
        linestyle=("-", "--", ":", "-.")[0 if ours else number // 10 % 4],
        marker="o",
        markersize=3,
    )
    axis.fill_between(
        places,
        [figure["low"] for _, figure in points],
        [figure["high"] for _, figure in points],
        color=line.get_color(),
        alpha=0.12,
        linewidth=0,
    )


def _grids(figure: Any, protocol: Mapping[str, Any]) -> None:
    """Policies by cases as coloured, numbered grids, one for each main figure."""
    columns, policies, cases = _main_columns(protocol), _policies(protocol), protocol["cases"]
    figure.set_size_inches(2.4 + 0.62 * len(cases) * len(columns), 3.4 + 0.26 * len(policies))
    axes = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    for axis, column in zip(axes, columns, strict=True):
        grid = [
            [_mean(case["policies"][row], column["metric"]) for case in cases]
            for row in range(len(policies))
        ]
        axis.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        for row, means in enumerate(grid):
            for place, mean in enumerate(means):
                text = "-" if mean != mean else f"{mean:.2f}"
                color = "white" if mean == mean and mean < 0.6 else "black"
                axis.text(place, row, text, ha="center", va="center", fontsize=6, color=color)
        axis.set_xticks(range(len(cases)), [case_title(case) for case in cases])
        axis.tick_params(axis="x", labelrotation=90, labelsize=6)
        axis.set_yticks(range(len(policies)), policies, fontsize=7)
        axis.set_title(column["title"], fontsize=9)
    figure.suptitle(protocol["title"], fontsize=11)


def _mean(entry: Mapping[str, Any], metric: str) -> float:
    """The mean of a figure, NaN where there is none."""
    return float(entry["metrics"][metric]["mean"]) if metric in entry["metrics"] else float("nan")
