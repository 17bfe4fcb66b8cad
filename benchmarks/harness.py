"""What every benchmark shares: facts about the machine, timing, the command, tables, results."""

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"
SAMPLES = REPOSITORY / "samples"
# After everything else, so that an installed package is measured before this checkout.
sys.path += [str(REPOSITORY), str(REPOSITORY / "cli")]
PACKAGES = ("streammem", "numpy", "av", "pillow", "torch", "torchvision", "open-clip-torch")


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall and processor seconds of one piece of work, threads and ended children included."""

    wall_s: float
    cpu_s: float


class Stopwatch:
    """Measures the `with` block it is entered for; `timing` is set at its end."""

    timing: Timing

    def __enter__(self) -> "Stopwatch":
        self._cpu_s, self._wall_s = _cpu_s(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.timing = Timing(time.perf_counter() - self._wall_s, _cpu_s() - self._cpu_s)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def environment(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, versions and, for a CUDA device, the name of the card."""
    from streammem.bench.machine import hardware, versions

    facts: dict[str, Any] = {
        **hardware(),
        "versions": versions(PACKAGES),
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    if device.startswith("cuda"):
        import torch

        facts["cuda_device"] = torch.cuda.get_device_name(device)
    return facts


def _commit() -> str | None:
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def command_line() -> str:
    """The command that is running, as a stranger would type it in the repository."""
    script = Path(sys.argv[0]).resolve()
    shown = script.relative_to(REPOSITORY) if script.is_relative_to(REPOSITORY) else script
    return shlex.join(["python", str(shown), *sys.argv[1:]])


def streammem(*arguments: str) -> list[str]:
    """The `streammem` command with arguments, in this interpreter."""
    return [sys.executable, "-m", "streammem_cli", *arguments]


def command_environment(**extra: str) -> dict[str, str]:
    """An environment in which the command runs from this checkout and never reaches a hub.

    Python may keep what it compiled, as it does for an installed package.
    """
    left_out = ("STREAMMEM_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "cli")])
    return {**kept, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", **extra}


def run_streammem(
    *arguments: str, timeout_s: float = 600.0
) -> tuple[subprocess.CompletedProcess[str], float]:
    """The ended command and its wall seconds, start of the interpreter included.

    Raises:
        subprocess.TimeoutExpired: the command ran past `timeout_s` and was killed.
    """
    started = time.perf_counter()
    done = subprocess.run(
        streammem(*arguments), env=command_environment(), capture_output=True, text=True,
        timeout=timeout_s, check=False,
    )  # fmt: skip
    return done, time.perf_counter() - started


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON document a command printed.

    Raises:
        ValueError: stdout is not one JSON document; the message shows both outputs.
    """
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        shown = (
            f"exit {done.returncode}\nstdout: {done.stdout[:500]}\nstderr: {done.stderr[-2000:]}"
        )
        raise ValueError(f"{shlex.join(done.args[2:])} printed no JSON: {shown}") from error


def percentile(values: Sequence[float], share: float) -> float:
    """The value at `share` in [0, 1] of the sorted values, without interpolation."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def median(values: Sequence[float]) -> float:
    """The middle value (the lower one of two)."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with equal keys as aligned text; floats with three decimals."""
    names = list(rows[0])
    cells = [names] + [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
             for line in cells]  # fmt: skip
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def arguments(parser: argparse.ArgumentParser, name: str) -> argparse.Namespace:
    """Parsed arguments with `--quick` and `--out` added.

    `out` is None for a quick run without `--out`: its figures are not worth keeping.
    """
    parser.add_argument("--quick", action="store_true", help="a small run that only shows it works")
    parser.add_argument("--out", type=Path, help=f"result file (default benchmarks/results/{name})")
    parsed = parser.parse_args()
    if parsed.out is None and not parsed.quick:
        parsed.out = RESULTS / name
    return parsed


def write_result(path: Path | None, result: Mapping[str, Any], *, device: str = "cpu") -> None:
    """Write a result with the command and the machine that made it; None only prints nothing."""
    if path is None:
        return
    whole = {"schema_version": 1, "command": command_line(), **environment(device), **result}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")


def rss_bytes(pid: int) -> int:
    """Resident bytes of a process and its living children; 0 once it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
