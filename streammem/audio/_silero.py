"""Voice activity by the silero-vad model in its wheel; the only module that imports onnxruntime.

The package itself is not imported, because that would load torch.
"""

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from streammem.audio.options import HOP_SAMPLES
from streammem.audio.packed import packed, unpacked
from streammem.core.errors import MissingError
from streammem.core.types import Floats

_CONTEXT = 64
_WIDTH = 128
_SEQUENCE = "silero_vad_16k_sequence.onnx"
_STEPWISE = "silero_vad.onnx"
INSTALL = "pip install 'streammem[speech]'"


class SileroVoice:
    """Tells for each hop of 32 ms how likely it is that somebody speaks.

    The model has a memory; it goes on from hop to hop until `reset`. One thread and one block size
    make the result the same however the sound was cut into chunks.
    """

    def __init__(self) -> None:
        model = _model_file()
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingError(
                f"onnxruntime cannot be loaded: {error}", hint=INSTALL, code="missing_dependency"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._whole_blocks = model.name == _SEQUENCE
        self.id = f"silero-vad {importlib.metadata.version('silero-vad')} {model.stem}"
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._memory = np.zeros((2, 1, 1, _WIDTH), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, samples: Floats) -> Floats:
        """float32 `[N]` for N hops of samples, float32 `[N * 512]`."""
        heard = np.concatenate([self._context, samples])
        windows = np.lib.stride_tricks.sliding_window_view(heard, _CONTEXT + HOP_SAMPLES)
        hops = np.ascontiguousarray(windows[::HOP_SAMPLES])
        self._context = heard[-_CONTEXT:].copy()
        if self._whole_blocks:
            hidden, cell = self._memory
            given = {"input": hops, "h": hidden, "c": cell}
            likely, hidden, cell = self._session.run(None, given)
            self._memory = np.stack([hidden, cell])
            return np.asarray(likely, np.float32).reshape(-1)
        return np.array([self._one(hop) for hop in hops], np.float32)

    def state(self) -> dict[str, Any]:
        """The model's memory as plain JSON."""
        return {"memory": packed(self._memory), "context": packed(self._context)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` gave."""
        self._memory = unpacked(state["memory"]).reshape(2, 1, 1, _WIDTH)
        self._context = unpacked(state["context"])

    def _one(self, hop: Floats) -> float:
        given = {
            "input": hop[None],
            "state": self._memory.reshape(2, 1, _WIDTH),
            "sr": np.array(16000, np.int64),
        }
        likely, memory = self._session.run(None, given)
        self._memory = np.asarray(memory, np.float32).reshape(2, 1, 1, _WIDTH)
        return float(np.asarray(likely).reshape(-1)[0])


def _model_file() -> Path:
    """The newest model of the installed wheel that this adapter knows.

    Raises:
        MissingError: a package of the extra `speech` is not installed.
    """
    for package, module in (("silero-vad", "silero_vad"), ("onnxruntime", "onnxruntime")):
        if importlib.util.find_spec(module) is None:
            raise MissingError(
                f"{package} is not installed", hint=INSTALL, code="missing_dependency"
            )
    found = importlib.util.find_spec("silero_vad")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "data"
    for name in (_SEQUENCE, _STEPWISE):
        if (folder / name).is_file():
            return folder / name
    raise MissingError(
        f"the installed silero-vad has no model {_STEPWISE}", hint=INSTALL, code="missing_weights"
    )
