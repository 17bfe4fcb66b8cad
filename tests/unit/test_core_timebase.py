"""Times and sizes as users write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammem.core.budget import MIB, format_bytes, parse_bytes, plan_budget
from streammem.core.errors import BudgetError, UsageError
from streammem.core.timebase import TimeSpan, format_time, merge_spans, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1:30", 90), ("00:01:30.5", 90.5), ("1h2m3s", 3723), ("2 min", 120)],
)
def test_parse_time_reads_every_documented_form(text: str, seconds: float) -> None:
    """The forms that help and README name."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "1:2:3:4", "5 parsecs", "-3"])
def test_parse_time_refuses_what_is_no_time(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text)


@given(st.integers(0, 10**9))
def test_format_time_is_read_back(milliseconds: int) -> None:
    """Printing and parsing are inverse to the millisecond."""
    assert parse_time(format_time(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


def test_merge_spans_joins_touching_ones() -> None:
    """Half-open neighbours become one span."""
    spans = [TimeSpan(4, 5), TimeSpan(0, 1), TimeSpan(1, 2)]

    assert merge_spans(spans) == [TimeSpan(0, 2), TimeSpan(4, 5)]


@pytest.mark.parametrize(
    ("text", "size"), [("64k", 65536), ("32MiB", 32 * MIB), ("32MB", 32_000_000), ("7", 7)]
)
def test_parse_bytes_reads_binary_and_decimal_units(text: str, size: int) -> None:
    """MiB is 1024 squared, MB a million."""
    assert parse_bytes(text) == size


def test_parse_bytes_refuses_what_is_no_size() -> None:
    """A clear error, not a guess."""
    with pytest.raises(UsageError, match="'much' is not a size"):
        parse_bytes("much")


@given(st.integers(256 * 1024, 10**12))
def test_plan_budget_gives_shares_within_the_total(total: int) -> None:
    """What the parts may take together never exceeds the budget."""
    plan = plan_budget(total)

    assert plan.system_bytes > 0
    assert plan.max_pages * plan.page_bytes <= total


def test_plan_budget_refuses_too_little_with_the_figure() -> None:
    """The smallest accepted budget is part of the message."""
    with pytest.raises(BudgetError) as caught:
        plan_budget(1000)

    assert caught.value.hint == f"the smallest accepted budget is {format_bytes(256 * 1024)}"
