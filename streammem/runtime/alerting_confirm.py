"""The second stage of an alert by an answerer: it is shown the frame and says yes, no or nothing.

Whatever it says, perception goes on; where it is down, slow or vague, the verdict of the frames
stands and the alert says that it is unconfirmed.
"""

import io
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from streammem.answer.base import Answerer, Material, NoReplyError, TimedPicture
from streammem.core.alerts import AlertRule
from streammem.core.timebase import format_time
from streammem.core.types import Channel, Evidence, Findings, Pixels, Question, Tier
from streammem.query.alerts import Report
from streammem.runtime.errands import Errands

WAITING = 4
_JPEG_QUALITY = 85
_SIDE_PX = 512
_SAID = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`confirmed` None: the answerer could not say, `note` why."""

    confirmed: bool | None
    by: str
    note: str | None = None


class PendingVerdict:
    """A verdict that is being worked on; it is there after the time limit at the latest."""

    def __init__(self, name: str, timeout_s: float) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._until_s = time.monotonic() + timeout_s
        self._there = threading.Event()
        self._verdict: Verdict | None = None

    def settle(self, confirmed: bool | None, note: str | None = None) -> None:
        """Give the verdict; the first one counts."""
        if not self._there.is_set():
            self._verdict = Verdict(confirmed, self._name, note)
            self._there.set()

    @property
    def ready(self) -> bool:
        """Whether `wait` would return at once."""
        return self._there.is_set() or time.monotonic() >= self._until_s

    def wait(self) -> Verdict:
        """The verdict; at the end of the time limit that there is none."""
        if not self._there.wait(max(0.0, self._until_s - time.monotonic())):
            self.settle(None, f"no answer within {self._timeout_s:g} s")
        verdict = self._verdict
        return verdict or Verdict(None, self._name)


class Confirmer:
    """Asks one answerer about the alerts of one rule, one at a time, in a thread of its own."""

    def __init__(self, answerer: Answerer, rule: AlertRule, reference: bytes | None) -> None:
        """Prepare to ask; `reference` is the JPEG that a rule of a picture looks for."""
        self._answerer = answerer
        self._rule = rule
        self._reference = reference
        self._errands = Errands(f"confirm {rule.name}", at_once=1, waiting=WAITING)

    def ask(self, report: Report, picture: Callable[[], bytes | None]) -> PendingVerdict:
        """Begin to ask about a report; returns at once. `picture` gives a JPEG of its frame."""
        pending = PendingVerdict(self._answerer.name, self._rule.confirm_timeout_s)
        if not self._errands.offer(lambda: self._ask(report, picture, pending)):
            pending.settle(None, "the answerer is still busy with earlier alerts")
        return pending

    def close(self) -> None:
        """Ask nothing any more."""
        self._errands.close(0.0)

    def _ask(
        self, report: Report, picture: Callable[[], bytes | None], pending: PendingVerdict
    ) -> None:
        if pending.ready:
            return
        try:
            jpeg = picture()
            if jpeg is None:
                pending.settle(None, "there is no picture of the frame to show")
                return
            reply = self._answerer.answer(self._material(report, jpeg))
        except NoReplyError as problem:
            pending.settle(None, str(problem))
        except Exception as problem:  # noqa: BLE001  (an alert goes out whatever an adapter raises)
            pending.settle(None, f"it failed with {type(problem).__name__}")
        else:
            said = _SAID.match(reply.text)
            if said is None:
                pending.settle(None, "it said neither yes nor no")
            else:
                shown = said.group(1).lower() == "yes"
                pending.settle(shown is (self._rule.absent_for_s is None))

    def _material(self, report: Report, jpeg: bytes) -> Material:
        frame = _evidence("e1", report.time_s)
        pictures = [TimedPicture(frame.id, report.time_s, jpeg)]
        recent: tuple[Evidence, ...] = ()
        if self._reference is not None:
            recent = (_evidence("r1", 0.0),)
            pictures.append(TimedPicture("r1", 0.0, self._reference))
            asked = "Is what picture r1 shows also in picture e1?"
        else:
            asked = f"Does picture e1 show this: {self._rule.text}?"
        return Material(
            question=Question(
                text=f"{asked} Begin your answer with yes or no and cite e1.",
                intent="when",
                phrase=self._rule.text or "",
            ),
            findings=Findings(evidence=(frame,)),
            sentence=f"Picture e1 is the frame at {format_time(report.time_s)}.",
            shown=(frame,),
            recent=recent,
            pictures=tuple(pictures),
        )


def frame_jpeg(pixels: Pixels) -> bytes:
    """The JPEG of uint8 `[3 H W]`, the longer side at most 512 px."""
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _evidence(number: str, time_s: float) -> Evidence:
    return Evidence(
        id=number,
        memory_id="",
        source="",
        start_s=time_s,
        end_s=time_s,
        time_s=time_s,
        score=0.0,
        channel=Channel.VISION,
        tier=Tier.SENSORY,
    )
