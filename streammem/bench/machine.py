"""What the figures were measured with: machine, versions, code."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streammem.bench.journal import code_digest

_PACKAGES = ("streammem", "numpy", "matplotlib", "torch", "sentence-transformers")


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory, system, and versions of what took part."""
    return {
        **hardware(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if hasattr(os, "sysconf")
        else None,
        "versions": versions(_PACKAGES),
        "code": code_digest(),
    }


def hardware() -> dict[str, Any]:
    """Processor, cores that may be used, system and Python."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """The version of each package, None where it is not installed."""
    return {name: _version(name) for name in packages}


def cores() -> int:
    """Cores this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
