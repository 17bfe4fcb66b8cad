"""How a torch encoder runs here: which number type and batch size, decided from measurements.

The decisions are plain functions of the measurements; measuring is the adapter's business.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)
# A commit follows after 5 s at the latest; two batches should fit between commits. Batches under
# the smallest usual one only save memory, so time alone never asks for them.
LONGEST_BATCH_S: Final = 2.5
SMALLEST_USUAL_BATCH: Final = 8
# Instructions that multiply bfloat16, as Linux names them.
_BFLOAT16_FLAGS: Final = frozenset({"amx_bf16", "avx512_bf16"})
# Decoder, queues and other processes need memory as well.
_SHARE_OF_FREE_MEMORY: Final = 0.25
_UNKNOWN_FREE_BYTES: Final = 2 << 30
# float32 keeps most digits; another type must be clearly quicker to be preferred.
_WORTH_IT: Final = 0.9


def pick_dtype(seconds_per_picture: Mapping[str, float]) -> str:
    """The quickest number type; float32 unless another takes under 90 % of its time."""
    quickest = min(seconds_per_picture, key=lambda name: seconds_per_picture[name])
    full = seconds_per_picture.get("float32")
    if full is not None and seconds_per_picture[quickest] > full * _WORTH_IT:
        return "float32"
    return quickest


def pick_batch_size(
    seconds_per_picture: float, bytes_per_picture: int, free_bytes: int | None
) -> int:
    """The largest batch within a quarter of the free memory and, above 8 pictures, 2.5 s."""
    free = _UNKNOWN_FREE_BYTES if free_bytes is None else free_bytes
    fitting = [
        size
        for size in BATCH_SIZES
        if size * bytes_per_picture <= free * _SHARE_OF_FREE_MEMORY
        and (size <= SMALLEST_USUAL_BATCH or size * seconds_per_picture <= LONGEST_BATCH_S)
    ]
    return max(fitting, default=BATCH_SIZES[0])


def has_fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 itself, which takes clearly less time.

    Asked of Linux and not of torch, whose import takes a second that an ingest has better uses for;
    False where nobody says.
    """
    if not cpuinfo.is_file():
        return False
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _BFLOAT16_FLAGS.isdisjoint(flags.split())


def free_memory_bytes() -> int | None:
    """Memory that a process may still take, None where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
