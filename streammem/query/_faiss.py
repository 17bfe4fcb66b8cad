"""The adapter of faiss: an exact index of inner products, on the GPU where faiss has one."""

from typing import Any

import numpy as np

from streammem.core.types import Floats
from streammem.query.rows import ExactRows, Mask, Places

# The GPU index gives no more than this many rows at once.
_MOST_ON_GPU = 2048


class FaissRows:
    """Rows in an exact faiss index; the answers are those of `rows.ExactRows`."""

    def __init__(self, rows: Floats, *, use_gpu: bool = True) -> None:
        """Copy `rows` `[R D]` into an index; on the GPU where faiss was built for one."""
        import faiss

        self._faiss: Any = faiss
        index: Any = faiss.IndexFlatIP(rows.shape[1])
        # Only builds for CUDA have these names.
        gpus = getattr(faiss, "get_num_gpus", lambda: 0)() if use_gpu else 0
        self.on_gpu = gpus > 0 and hasattr(faiss, "StandardGpuResources")
        if self.on_gpu:
            self._resources = faiss.StandardGpuResources()
            index = faiss.index_cpu_to_gpu(self._resources, 0, index)
        index.add(np.ascontiguousarray(rows, np.float32))
        self._index = index
        self._plain = ExactRows(rows)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return int(self._index.ntotal)

    def top(self, query: Floats, count: int, allowed: Mask | None = None) -> tuple[Floats, Places]:
        """The rows with the largest products, largest first; ties to the earlier row."""
        wanted = min(count, self.size)
        if wanted < 1:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        asked = np.ascontiguousarray(query[None], np.float32)
        if self.on_gpu and (allowed is not None or wanted > _MOST_ON_GPU):
            # The GPU index takes no selection either.
            return self._plain.top(query, count, allowed)
        if allowed is None:
            scores, places = self._index.search(asked, wanted)
        else:
            chosen = self._faiss.IDSelectorBatch(np.flatnonzero(allowed))
            parameters = self._faiss.SearchParameters(sel=chosen)
            scores, places = self._index.search(asked, wanted, params=parameters)
        real = places[0] >= 0
        scores, places = scores[0][real], places[0][real].astype(np.int64)
        order = np.lexsort((places, -scores))
        return scores[order], places[order]
