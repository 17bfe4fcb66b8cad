import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streammem.query.calibrate import shifted
from streammem.query.elsewhere import Pool, spread_out

_PARTS = st.lists(
    st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.5001, 2.0]) | st.floats(-3, 3), max_size=30),
    min_size=1,
    max_size=8,
)


@given(parts=_PARTS)
def test_a_pool_raises_each_zero_as_looking_at_all_others_does(parts: list[list[float]]) -> None:
    """Equal to the last bit, for repeated numbers and empty memories too."""
    values = [np.array(part, np.float64) for part in parts]
    pool = Pool([spread_out(part) for part in values])
    for place, own in enumerate(values):
        others = values[:place] + values[place + 1 :]
        np.testing.assert_array_equal(own - pool.shift(spread_out(own)), shifted(own, others))
