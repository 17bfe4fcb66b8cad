"""Everything in words that a stream brings, in step with its pictures, and where it went on."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from streammem.core.types import Cue
from streammem.runtime.hearing import Hearing
from streammem.runtime.tracks import TextTracks

READING = "reading"
# Kept by the hearing; left out together where there is no room, and the sound is heard anew.
_HEARING = ("listen", "sound")


class Words:
    """What is said and written in one source, handed out up to a time. Used by one thread.

    `until` is called with the ends of the batches, which are the same in every run; so are the
    cues of each batch. `state` and the end of the batch are all that a resumed run needs.
    """

    def __init__(self, tracks: TextTracks, hearing: Hearing | None) -> None:
        self._tracks = tracks
        self._hearing = hearing

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not heard or read, one line each."""
        heard = () if self._hearing is None else self._hearing.notes
        return tuple(dict.fromkeys((*self._tracks.notes, *heard)))

    @property
    def whole(self) -> bool:
        """Whether the sound could be heard from its beginning to its end."""
        report = None if self._hearing is None else self._hearing.report()
        return report is None or not (report.partial or report.damaged)

    def pass_over(self, end_s: float, *, anew: bool) -> None:
        """Leave out what an earlier run took up to a time; `anew` where it kept no hearing."""
        self._tracks.until(end_s)
        if anew and self._hearing is not None:
            self._hearing.until(end_s)

    def until(self, end_s: float) -> list[Cue]:
        """The cues that are known at a time and were not handed out yet."""
        heard = [] if self._hearing is None else self._hearing.until(end_s)
        return [*self._tracks.until(end_s), *heard]

    def rest(self) -> list[Cue]:
        """All cues that are left."""
        heard = [] if self._hearing is None else self._hearing.rest()
        return [*self._tracks.until(float("inf")), *heard]

    def state(self, reading: Mapping[str, Any] | None, limit_bytes: int) -> bytes:
        """What to store at a resume point, in at most so many bytes."""
        state: dict[str, Any] = {} if self._hearing is None else self._hearing.state()
        if reading:
            state[READING] = dict(reading)
        packed = _packed(state)
        if len(packed) > limit_bytes:
            packed = _packed({key: part for key, part in state.items() if key not in _HEARING})
        return packed if len(packed) <= limit_bytes else b""

    def close(self) -> None:
        """Release the source."""
        if self._hearing is not None:
            self._hearing.close()


def unpack_state(packed: bytes) -> dict[str, Any]:
    """What `Words.state` packed."""
    if not packed:
        return {}
    state = json.loads(zlib.decompress(packed))
    return state if isinstance(state, dict) else {}


def _packed(state: Mapping[str, Any]) -> bytes:
    if not state:
        return b""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    return zlib.compress(text.encode(), 9)
