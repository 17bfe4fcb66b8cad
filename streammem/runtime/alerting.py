"""Standing questions at work on a stream: frames go in as they are encoded, alerts come out."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from streammem.core.alerts import BY_FRAMES, Alert, AlertRule, OnAlert, RuleReport
from streammem.core.errors import UsageError
from streammem.core.types import Floats, Pixels, Times
from streammem.encoders.base import Encoder
from streammem.query.alerts import Report, StandingQuestion
from streammem.query.alerts_gate import (
    Gate,
    Strengths,
    Target,
    image_target,
    suited,
    text_target,
)
from streammem.query.calibrate import scale_of, trust
from streammem.runtime.alerting_confirm import (
    Confirmer,
    PendingVerdict,
    Verdict,
    frame_jpeg,
)
from streammem.video.reader import ReaderOptions, open_reader

# Gives the pixels `[3 H W]` of the frame at a time, None where nobody has them any more.
PictureAt = Callable[[float], Pixels | None]


@dataclass(frozen=True, slots=True)
class AlertSetup:
    """What a stream is watched for, ready for one encoder: rules, targets, and who confirms.

    `references` are the pictures of rules that look for one, None for the others.
    """

    rules: tuple[AlertRule, ...]
    targets: tuple[Target, ...]
    references: tuple[Pixels | None, ...]
    encoder: Encoder

    @classmethod
    def prepare(cls, rules: Sequence[AlertRule], encoder: Encoder) -> "AlertSetup":
        """Embed what the rules look for.

        Raises:
            UsageError: the encoder knows no word of one, or a picture cannot be read.
        """
        references = tuple(None if r.image is None else _read_image(r.image) for r in rules)
        targets = tuple(
            text_target(encoder, rule.text or "")
            if pixels is None
            else image_target(encoder.encode_images(pixels[None]).embeddings[0])
            for rule, pixels in zip(rules, references, strict=True)
        )
        return cls(tuple(rules), targets, references, encoder)

    def key_of(self, index: int) -> str:
        """What a stored state must agree on to be gone on with: what is looked for, and how."""
        vector = np.ascontiguousarray(self.targets[index].phrase.vector, np.float32)
        turned = self.rules[index].absent_for_s is not None
        # Two rules may look for the same with other thresholds: they are told apart by number.
        alike = sum(np.array_equal(vector, one.phrase.vector) for one in self.targets[:index])
        facts = f"{self.encoder.spec.digest} {turned} {alike}".encode()
        return hashlib.blake2b(facts + vector.tobytes(), digest_size=8).hexdigest()


@dataclass(slots=True)
class _Waiting:
    """An alert that an answerer is asked about."""

    index: int
    report: Report
    alert: Alert
    pending: PendingVerdict
    pixels: Pixels | None


class Alerting:
    """All rules over one stream. One owner, one thread; only `on_alert` leaves it.

    Whatever an answerer is asked goes on in the background; its verdicts are taken up at the
    next `observe`, or waited for in `observe` itself with `wait_for_verdicts`, so that a replay
    reports in order.
    """

    def __init__(
        self,
        setup: AlertSetup,
        on_alert: OnAlert,
        *,
        interval_s: float,
        confirmers: Mapping[str, Confirmer] | None = None,
        thumbnails: Path | None = None,
        wait_for_verdicts: bool = False,
    ) -> None:
        """Begin with nothing known about the camera; `restore` goes on from a stored state."""
        self._setup = setup
        self._on_alert = on_alert
        self._questions = [
            StandingQuestion(suited(rule, target), interval_s)
            for rule, target in zip(setup.rules, setup.targets, strict=True)
        ]
        self._gate = Gate(setup.encoder, setup.targets)
        self._scale = scale_of(setup.encoder)
        self._confirmers = dict(confirmers or {})
        self._thumbnails = thumbnails
        self._waits = wait_for_verdicts
        self._waiting: list[_Waiting] = []
        self._notes: list[list[str]] = [
            [] if target.note is None else [target.note] for target in setup.targets
        ]

    def observe(self, pts_s: Times, embeddings: Floats, pixels: Pixels | None = None) -> None:
        """Take the frames of a batch: times `[B]`, unit embeddings `[B D]`, pixels `[B 3 H W]`."""
        rows = {} if pixels is None else {float(at_s): row for row, at_s in enumerate(pts_s)}

        def picture_at(time_s: float) -> Pixels | None:
            row = rows.get(time_s)
            return None if row is None or pixels is None else pixels[row]

        self.take(pts_s, self._gate.strengths(embeddings), picture_at)

    def take(self, pts_s: Times, strengths: Strengths, picture_at: PictureAt) -> None:
        """The same for strengths `[B A]` that are known already."""
        for row, time_s in enumerate(pts_s.tolist()):
            for index, question in enumerate(self._questions):
                report = question.step(time_s, float(strengths[row, index]))
                if report is not None:
                    self._raise(index, report, picture_at)
            if self._waiting:
                self._collect(wait=self._waits)

    def finish(self) -> None:
        """The end of the stream: wait for open verdicts, and count what was held back."""
        self._collect(wait=True)
        for question in self._questions:
            question.finish()

    def close(self) -> None:
        """Wait for open verdicts and let go of the answerers; the stream may go on another day."""
        self._collect(wait=True)
        for confirmer in self._confirmers.values():
            confirmer.close()

    def reports(self) -> tuple[RuleReport, ...]:
        """What became of each rule so far."""
        return tuple(
            RuleReport(
                name=rule.name,
                looked_for=_looked_for(rule),
                alerts=question.reports,
                suppressed=dict(question.suppressed),
                site=question.site,
                learning_s=question.learning_s,
                notes=tuple(notes),
            )
            for rule, question, notes in zip(
                self._setup.rules, self._questions, self._notes, strict=True
            )
        )

    def to_bytes(self) -> bytes:
        """Everything that `restore` needs to go on exactly; bounded by the number of rules."""
        state = {
            self._setup.key_of(index): question.to_json()
            for index, question in enumerate(self._questions)
        }
        text = json.dumps(state, sort_keys=True, separators=(",", ":"))
        return zlib.compress(text.encode(), 9)

    def restore(self, data: bytes) -> tuple[str, ...]:
        """Go on from a stored state; the names of rules that it does not know, which begin anew.

        Raises:
            UsageError: it is not a state that `to_bytes` wrote.
        """
        try:
            state: dict[str, Any] = json.loads(zlib.decompress(data)) if data else {}
            anew = []
            for index, question in enumerate(self._questions):
                stored = state.get(self._setup.key_of(index))
                if stored is None:
                    anew.append(question.rule.name)
                else:
                    question.restore(stored)
        except (ValueError, zlib.error, AttributeError) as error:
            raise UsageError(
                f"the stored state of the alerts cannot be read: {error}",
                hint="watch into another memory: --name NAME",
                code="bad_alert_state",
            ) from error
        return tuple(anew)

    def _raise(self, index: int, report: Report, picture_at: PictureAt) -> None:
        """Report at once, or ask the answerer first."""
        rule, target = self._setup.rules[index], self._setup.targets[index]
        share = trust(target.phrase)
        alert = Alert(
            name=rule.name,
            looked_for=_looked_for(rule),
            kind="seen" if rule.absent_for_s is None else "absent",
            time_s=report.time_s,
            start_s=report.start_s,
            score=round(report.rise, 3),
            threshold=round(report.needed, 3),
            strength=round(report.strength, 3),
            confidence=round(share * self._scale.confidence(report.strength), 6),
        )
        pixels = picture_at(report.time_s)
        confirmer = self._confirmers.get(rule.name)
        if confirmer is None:
            note = None if rule.confirm == BY_FRAMES else f"{rule.confirm} was not asked"
            self._tell(replace(alert, note=note), pixels)
            return
        jpeg = None if pixels is None else frame_jpeg(pixels)
        pending = confirmer.ask(report, lambda: jpeg)
        self._waiting.append(_Waiting(index, report, alert, pending, pixels))

    def _collect(self, *, wait: bool) -> None:
        """Take up the verdicts that are there, in the order in which they were asked for."""
        while self._waiting and (wait or self._waiting[0].pending.ready):
            open_ = self._waiting.pop(0)
            verdict: Verdict = open_.pending.wait()
            if verdict.confirmed is False:
                self._questions[open_.index].refuse(open_.report)
                continue
            alert = replace(
                open_.alert,
                confirmed=verdict.confirmed,
                confirmed_by=verdict.by if verdict.confirmed else BY_FRAMES,
                note=None
                if verdict.note is None
                else f"unconfirmed by {verdict.by}: {verdict.note}",
            )
            self._tell(alert, open_.pixels)

    def _tell(self, alert: Alert, pixels: Pixels | None) -> None:
        if self._thumbnails is not None and pixels is not None:
            alert = replace(alert, thumbnail=_save(alert, pixels, self._thumbnails))
        self._on_alert(alert)


def read_references(setup: AlertSetup) -> Iterator[tuple[AlertRule, bytes | None]]:
    """Each rule with the JPEG of the picture it looks for, None where that is a text."""
    for rule, pixels in zip(setup.rules, setup.references, strict=True):
        yield rule, None if pixels is None else frame_jpeg(pixels)


def _looked_for(rule: AlertRule) -> str:
    return rule.text if rule.text is not None else str(rule.image)


def _read_image(path: str) -> Pixels:
    with open_reader(path, ReaderOptions(sample_hz=240.0)) as reader:
        for item in reader.frames():
            return np.ascontiguousarray(item.frame.pixels)
    raise UsageError(f"{path} holds no picture", code="no_picture")


def _save(alert: Alert, pixels: Pixels, folder: Path) -> str:
    from streammem.runtime.pictures import file_name
    from streammem.runtime.thumbnails import encode_picture

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name("alert", alert.name, alert.time_s)
    path.write_bytes(encode_picture(pixels, 320, 64 * 1024))
    return str(path)
