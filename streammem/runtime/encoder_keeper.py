"""Keeps the encoder of one run for the sources that come next."""

from streammem.core.types import RuntimeChoice
from streammem.encoders.base import Encoder
from streammem.encoders.load import load_encoder


class EncoderKeeper:
    """Loads encoders and keeps the last one, so that the sources of one run share it."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._encoder: Encoder | None = None

    def load(
        self, encoder_id: str, weights: str | None, device: str, runtime: RuntimeChoice | None
    ) -> Encoder:
        """The encoder, loaded only if it is not the one used last."""
        key = (encoder_id, weights, device, runtime)
        if self._encoder is None or key != self._key:
            self._encoder = load_encoder(
                encoder_id, weights=weights, device=device, runtime=runtime
            )
            self._key = key
        return self._encoder
