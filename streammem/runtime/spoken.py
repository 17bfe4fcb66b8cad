"""Spoken questions: the words in a sound file, heard like the speech of any stream."""

from dataclasses import dataclass, replace

from streammem.audio.listener import Listener
from streammem.audio.options import ListenOptions
from streammem.core.errors import MissingError, SourceError, UsageError
from streammem.core.types import Cue
from streammem.video.sound import SoundOptions, open_sound

# Nobody asks for longer; what is said after this is left out.
LONGEST_QUESTION_S = 120.0


@dataclass(frozen=True, slots=True)
class SpokenText:
    """What was said in a file, in one line, with the language where it is known."""

    text: str
    language: str | None
    cues: tuple[Cue, ...]


def transcribe_file(path: str, options: ListenOptions | None = None) -> SpokenText:
    """The words spoken in the first two minutes of a sound or video file.

    Raises:
        MissingError: the packages or the weights for transcripts are not on this machine.
        SourceError: the file cannot be opened or has no sound.
        UsageError: nobody says anything in it that can be made out.
    """
    listener = Listener(replace(options or ListenOptions(), speech=True, sound=False, tagger=""))
    if not listener.transcribes:
        why, _, hint = listener.report().notes[-1].rpartition("; ")
        raise MissingError(
            f"a spoken question cannot be understood: {why}", hint=hint, code="missing_weights"
        )
    reader = open_sound(path, SoundOptions(end_s=LONGEST_QUESTION_S))
    if reader is None:
        raise SourceError(
            f"{path} has no sound", hint="give a recording of the question", code="no_sound_track"
        )
    cues: list[Cue] = []
    with reader:
        for chunk in reader.chunks():
            cues += listener.feed(chunk)
    cues += listener.close()
    told = [cue for cue in cues if cue.text]
    if not told:
        said = "nobody speaks" if not cues else "nothing that is said can be made out"
        raise UsageError(
            f"{said} in {path}", hint="ask in writing, or record it again", code="no_speech"
        )
    languages = [cue.language for cue in told if cue.language is not None]
    text = " ".join(cue.text for cue in told)
    return SpokenText(text, languages[0] if languages else None, tuple(told))
