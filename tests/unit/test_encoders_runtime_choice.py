"""Number type and batch size follow from measurements alone."""

import pytest

from streammem.encoders.runtime_choice import (
    free_memory_bytes,
    has_fast_bfloat16,
    pick_batch_size,
    pick_dtype,
)

GIB = 1 << 30


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"float32": 0.10, "bfloat16": 0.02}, "bfloat16"),
        ({"float32": 0.10, "bfloat16": 0.095}, "float32"),
        ({"float32": 0.10, "bfloat16": 0.30}, "float32"),
        ({"float32": 0.10}, "float32"),
        ({"float16": 0.03, "bfloat16": 0.02}, "bfloat16"),
    ],
)
def test_pick_dtype_takes_a_short_type_only_where_clearly_quicker(seconds, expected):
    """float32 stays unless another type needs under 90 % of its time."""
    assert pick_dtype(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "needed", "free", "expected"),
    [
        (0.001, 1 << 20, 16 * GIB, 64),
        (0.050, 1 << 20, 16 * GIB, 32),
        (0.200, 1 << 20, 16 * GIB, 8),
        (5.000, 1 << 20, 16 * GIB, 8),
        (0.001, 64 << 20, 2 * GIB, 8),
        (0.001, 200 << 20, 1 * GIB, 1),
        (0.001, 4 * GIB, 1 * GIB, 1),
        (0.001, 8 << 20, None, 64),
    ],
)
def test_pick_batch_size_keeps_within_memory_and_time(seconds, needed, free, expected):
    """At most a quarter of free memory; above 8 pictures at most 2.5 s a batch."""
    assert pick_batch_size(seconds, needed, free) == expected


def test_free_memory_is_a_plausible_number_of_bytes():
    """Where the system says anything, it is more than a MiB and less than a PiB."""
    free = free_memory_bytes()

    assert free is None or 1 << 20 < free < 1 << 50


@pytest.mark.parametrize(
    ("cpuinfo", "fast"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse avx512f amx_bf16 amx_tile\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx512_bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n", False),
        ("processor\t: 0\nmodel name\t: amx_bf16\n", False),
        ("", False),
    ],
)
def test_bfloat16_is_fast_where_the_processor_says_so(tmp_path, cpuinfo, fast):
    (tmp_path / "cpuinfo").write_text(cpuinfo)

    assert has_fast_bfloat16(tmp_path / "cpuinfo") is fast
    assert has_fast_bfloat16(tmp_path / "nothing") is False
