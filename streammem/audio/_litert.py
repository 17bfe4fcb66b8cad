"""AudioSet-type classifiers in TFLite files; the only module that imports ai_edge_litert."""

import hashlib
import importlib.util
import zipfile
from pathlib import Path

import numpy as np

from streammem.core.errors import MissingError
from streammem.core.types import Floats

INSTALL = "pip install 'streammem[sound]'"


class LiteRtTagger:
    """A classifier that takes one window of samples at 16 kHz, such as YAMNet.

    Its labels are packed in the file, one a line, as TensorFlow's metadata writer does it.

    Raises:
        MissingError: the package or the file is not here, or the file is not such a classifier.
    """

    def __init__(self, weights: str) -> None:
        path = Path(weights).expanduser()
        if importlib.util.find_spec("ai_edge_litert") is None:
            raise MissingError(
                "ai-edge-litert is not installed", hint=INSTALL, code="missing_dependency"
            )
        if not path.is_file():
            raise MissingError(
                f"the sound classifier {path} does not exist",
                hint="check the path of its .tflite file",
                code="missing_weights",
            )
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingError(
                f"ai-edge-litert cannot be loaded: {error}",
                hint=INSTALL,
                code="missing_dependency",
            ) from error
        data = path.read_bytes()
        try:
            self._interpreter = Interpreter(model_content=data, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _unusable(path, "it is not a TFLite model") from error
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self.labels = _labels(path)
        self._shape, self._input = tuple(inputs[0]["shape"]), inputs[0]["index"]
        self._output = outputs[0]["index"]
        fits = len(inputs) == 1 and inputs[0]["dtype"] is np.float32 and min(self._shape) > 0
        if not fits or outputs[0]["shape"][-1] != len(self.labels):
            raise _unusable(path, "it does not score windows of samples by its labels")
        self.window_samples = int(np.prod(self._shape))
        self.id = f"{path.name} {hashlib.sha256(data).hexdigest()[:16]}"

    def scores(self, window: Floats) -> Floats:
        """Scores in [0, 1], float32 `[labels]`, of samples `[window_samples]`."""
        self._interpreter.set_tensor(self._input, window.reshape(self._shape))
        self._interpreter.invoke()
        scores = self._interpreter.get_tensor(self._output)
        rows: Floats = np.asarray(scores, np.float32).reshape(-1, len(self.labels))
        best: Floats = rows.max(axis=0)
        return best


def _labels(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as packed:
            names = [name for name in packed.namelist() if name.endswith(".txt")]
            lines = packed.read(names[0]).decode("utf-8").splitlines() if names else []
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise _unusable(path, "no list of labels is packed in it") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise _unusable(path, "no list of labels is packed in it")
    return labels


def _unusable(path: Path, why: str) -> MissingError:
    return MissingError(
        f"the sound classifier {path} cannot be used: {why}",
        hint="give a TFLite classifier for 16 kHz sound with its labels, such as YAMNet",
        code="weights_unusable",
    )
