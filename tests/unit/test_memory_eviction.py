"""Which cell goes first."""

import numpy as np

from streammem.memory.eviction import first_that_keeps_coverage, least_used, shares_by_length

SPAN = [("start_s", "<f8"), ("end_s", "<f8"), ("owner", "<i4")]


def test_least_used_orders_by_usage_mass_age_and_id() -> None:
    """Each key decides only where the ones before it are equal."""
    usage = np.array([0.5, 0.0, 0.0, 0.0, 0.0])
    mass = np.array([1.0, 9.0, 2.0, 2.0, 2.0])
    start_s = np.array([0.0, 0.0, 7.0, 3.0, 3.0])
    ids = np.array([1, 2, 3, 5, 4])

    assert least_used(usage, mass, start_s, ids).tolist() == [4, 3, 2, 1, 0]


def test_coverage_spares_the_only_cell_of_a_stretch() -> None:
    """A cell whose loss opens too long a stretch stays while another can go."""
    spans = np.array([(0, 10, 0), (10, 50, 1), (50, 60, 2), (0, 0, -1)], SPAN)

    assert first_that_keeps_coverage([1, 2, 0], spans, longest_gap_s=15) == 2
    assert first_that_keeps_coverage([1, 2, 0], spans, longest_gap_s=40) == 1


def test_the_budget_comes_before_coverage() -> None:
    """Where every choice opens a stretch, the first is taken."""
    spans = np.array([(0, 10, 0), (10, 50, 1), (50, 90, 2), (90, 91, 3)], SPAN)

    assert first_that_keeps_coverage([2, 1], spans, longest_gap_s=5) == 2


def test_shares_by_length_add_up() -> None:
    """Longer stretches get more; nothing is lost, also where nothing has a length."""
    assert shares_by_length(10, [1.0, 3.0]) == [2, 8]
    assert sum(shares_by_length(7, [0.1, 0.1, 0.1])) == 7
    assert shares_by_length(5, [0.0, 0.0]) == [0, 5]
