"""What `streammem doctor` says about hearing and reading: what is here, and how to get the rest."""

from collections.abc import Iterator

from streammem.audio.ears import Ears
from streammem.audio.options import ListenOptions
from streammem.core.results import Check
from streammem.runtime.reading import MISSING_NOTE, ocr_identity
from streammem.text._rapidocr import INSTALL
from streammem.text.meaning import MISSING_NOTE as NO_MEANING_NOTE
from streammem.text.meaning import TEXT_ENCODER_ID, text_encoder_folder


def check_words() -> Iterator[Check]:
    """One line for hearing, for reading and for the meaning of words; none of them is needed."""
    ears = Ears(ListenOptions())
    if ears.notes:
        for note in ears.notes:
            detail, _, fix = note.rpartition("; ")
            yield Check("hearing", "warning", detail, fix)
    else:
        yield Check("hearing", "ok", "speech is found and transcribed")
    if ocr_identity() is None:
        yield Check("reading", "warning", MISSING_NOTE.rpartition("; ")[0], INSTALL)
    else:
        yield Check("reading", "ok", f"text in pictures is read by {ocr_identity()}")
    if text_encoder_folder() is None:
        detail, _, fix = NO_MEANING_NOTE.rpartition(": ")
        yield Check("meaning", "warning", detail, fix)
    else:
        yield Check("meaning", "ok", f"words are compared by {TEXT_ENCODER_ID}")
