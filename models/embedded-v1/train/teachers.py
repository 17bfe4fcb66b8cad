"""The teachers: an ImageNet classifier with its last feature map, and a COCO detector.

They are read from a folder of weights for training and evaluation only; nothing of them is shipped.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSIFIER = "imagenet_tf2_mobilenet_v2_ptq.tflite"
DETECTOR = "yolox_nano_coco.onnx"
CLASSIFIER_SIZE_PX = 224
MAP_SIDE = 7
MAP_CHANNELS = 1280
# Scale and zero point of the feature map's code.
MAP_CODE = (0.0235294122248888, -128)
_DETECTOR_SIZE_PX = 416
_STRIDES_PX = (8, 16, 32)
_PADDING = 114

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Classifier:
    """MobileNet v2, quantised: feature map and logits of 1,000 classes of one picture."""

    def __init__(self, weights: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._net = Interpreter(
            str(weights / CLASSIFIER), num_threads=1, experimental_preserve_all_tensors=True
        )
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]["index"]
        details = self._net.get_tensor_details()
        self._map = next(
            each for each in details if each["shape"].tolist() == [1, MAP_SIDE, MAP_SIDE, 1280]
        )
        self._logits = next(
            each
            for each in details
            if each["shape"].tolist() == [1, 1, 1, 1001] and "BiasAdd" in each["name"]
        )
        if not np.allclose(self._map["quantization"], MAP_CODE):
            raise ValueError(f"{CLASSIFIER} has another code than {MAP_CODE}")
        self._details = details

    def __call__(self, pixels: Pixels) -> tuple[NDArray[np.int8], Floats]:
        """Feature map int8 `[7 7 1280]` and logits `[1000]` of uint8 `[224 224 3]`."""
        self._net.set_tensor(self._input, pixels[np.newaxis])
        self._net.invoke()
        features = self._net.get_tensor(self._map["index"])[0].copy()
        logits = self._real(self._logits, self._net.get_tensor(self._logits["index"]))
        return features, logits.reshape(-1)[1:]

    def head(self) -> tuple[Floats, Floats]:
        """Matrix `[1000 1280]` and offset `[1000]` that turn features into logits."""
        matrix = next(e for e in self._details if e["shape"].tolist() == [1001, 1, 1, 1280])
        offset = next(
            e for e in self._details if e["shape"].tolist() == [1001] and e["dtype"] is np.int32
        )
        values = [
            self._per_channel(each, self._net.get_tensor(each["index"]))
            for each in (matrix, offset)
        ]
        return values[0].reshape(1001, 1280)[1:], values[1][1:]

    @staticmethod
    def _real(detail: dict[str, object], codes: NDArray[np.int8]) -> Floats:
        scale, zero = detail["quantization"]  # type: ignore[misc]
        return ((codes.astype(np.float32) - zero) * scale).astype(np.float32)

    @staticmethod
    def _per_channel(detail: dict[str, object], codes: NDArray[np.int8]) -> Floats:
        scales = detail["quantization_parameters"]["scales"]  # type: ignore[index]
        shape = (-1,) + (1,) * (codes.ndim - 1)
        scaled: Floats = codes.astype(np.float32) * np.asarray(scales, np.float32).reshape(shape)
        return scaled


class Detector:
    """YOLOX-nano: boxes of the 80 COCO classes."""

    def __init__(self, weights: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(weights / DETECTOR), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._cells, self._strides = _cells()

    def __call__(self, pixels: Pixels, threshold: float = 0.2) -> Floats:
        """Boxes `[N 6]`: x0, y0, x1, y1 as shares of width and height, score, class."""
        height, width = pixels.shape[:2]
        scale = _DETECTOR_SIZE_PX / max(height, width)
        scaled = Image.fromarray(pixels).resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR
        )
        canvas = np.full((_DETECTOR_SIZE_PX, _DETECTOR_SIZE_PX, 3), _PADDING, np.float32)
        canvas[: scaled.height, : scaled.width] = np.asarray(scaled, np.float32)[:, :, ::-1]
        found = self._session.run(None, {self._input: canvas.transpose(2, 0, 1)[np.newaxis]})[0][0]
        scores = found[:, 4:5] * found[:, 5:]
        classes = scores.argmax(axis=1)
        best = scores.max(axis=1)
        rows = np.flatnonzero(best > threshold)
        # The network says where a box's middle is within its cell, and its size in powers of e.
        middle = (found[rows, :2] + self._cells[rows]) * self._strides[rows]
        half = np.exp(found[rows, 2:4]) * self._strides[rows] / 2
        low, high = middle - half, middle + half
        size = np.array([width, height], np.float32) * scale
        boxes = np.concatenate([np.clip(low / size, 0, 1), np.clip(high / size, 0, 1)], axis=1)
        kept = _suppress(boxes, best[rows], classes[rows])
        return np.concatenate(
            [boxes[kept], best[rows][kept, None], classes[rows][kept, None]], axis=1
        ).astype(np.float32)


def _cells() -> tuple[Floats, Floats]:
    """Columns and rows of all cells `[N 2]`, finest grid first, and their strides `[N 1]`."""
    cells, strides = [], []
    for stride in _STRIDES_PX:
        side = _DETECTOR_SIZE_PX // stride
        rows, columns = np.divmod(np.arange(side * side), side)
        cells.append(np.stack([columns, rows], axis=1))
        strides.append(np.full((side * side, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _suppress(boxes: Floats, scores: Floats, classes: NDArray[np.int64]) -> list[int]:
    """Rows that remain when weaker boxes of a class over a stronger one are dropped."""
    kept: list[int] = []
    for row in np.argsort(-scores).tolist():
        if all(classes[row] != classes[k] or _overlap(boxes[row], boxes[k]) < 0.5 for k in kept):
            kept.append(row)
    return kept


def _overlap(first: Floats, second: Floats) -> float:
    low = np.maximum(first[:2], second[:2])
    high = np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return shared / max(areas - shared, 1e-9)
