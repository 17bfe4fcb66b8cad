"""Which tokens are kept."""

import numpy as np

from streammem.memory.tokens import encode_tokens, most_distinct, square_sums, token_code


def test_the_most_distinct_tokens_come_first() -> None:
    """A lone odd patch is kept before more of the same background."""
    tokens = np.zeros((10, 4), np.float32)
    tokens[:, 0] = 1
    tokens[7] = [0, 1, 0, 0]
    tokens[4] = [0.8, 0, 0.6, 0]

    assert most_distinct(tokens, 3).tolist() == [7, 0, 4]


def test_no_more_tokens_are_chosen_than_there_are() -> None:
    """A frame of two tokens gives two."""
    assert most_distinct(np.eye(2, dtype=np.float32), 9).tolist() == [0, 1]


def test_decoded_tokens_are_unit_and_close() -> None:
    """A byte a coordinate keeps the direction to about one percent; zero stays zero."""
    tokens = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32) * 9
    tokens[2] = 0

    codes = encode_tokens(tokens, 3)
    decoded = token_code(64).unit_rows(codes, square_sums(codes))

    rows = most_distinct(tokens / np.maximum(np.linalg.norm(tokens, axis=1), 1)[:, None], 3)
    lengths = np.linalg.norm(decoded, axis=1)
    assert np.allclose(np.sort(lengths), [0, 1, 1], atol=1e-6)
    cosines = np.sum(decoded * tokens[rows], axis=1) / np.maximum(
        np.linalg.norm(tokens[rows], axis=1), 1
    )
    assert np.allclose(cosines[lengths > 0], 1, atol=1e-3)
