"""What tokens of the trained encoder become, one place after the other."""

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same directions, length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def leaning_tokens(whole: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Unit tokens `[B P D]`, each leaning on the places around it and on the whole `[B D]`."""
    side = round(tokens.shape[1] ** 0.5)
    grid = tokens.reshape(len(tokens), side, side, -1)
    leaning = np.empty_like(grid)
    for row in range(side):
        for column in range(side):
            touching = grid[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            around = unit(touching.mean((1, 2)))
            leaning[:, row, column] = grid[:, row, column] + around + 2 * whole
    return unit(leaning).reshape(tokens.shape)
