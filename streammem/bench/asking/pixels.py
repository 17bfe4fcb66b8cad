"""Scripts as real video files: ingested as a user's would be, and asked through the library."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from streammem.api import AskOptions, Library, request_from_config
from streammem.bench.asking.drawing import EVENTS, RATE_HZ, pictures, write_script
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.asking.scoring import Given, Judged, is_right, metrics_of
from streammem.bench.asking.templates import Asked, questions, rotations
from streammem.bench.long_streams import CHOICE, generator
from streammem.bench.trials import Case, Row, Trial
from streammem.core.config import load_config
from streammem.core.errors import BudgetError

ENCODER = "descriptor"


def cases(request: QuestionsRequest) -> list[Case]:
    """One clip a seed."""
    facts = {"encoder": ENCODER, "events": EVENTS, "rate_hz": RATE_HZ}
    return [Case("pictures", "pictures", request.budget_bytes, facts)]


def measure(trial: Trial) -> Iterator[Row]:
    """Render a clip, remember it under each policy, and ask."""
    from streammem.video._pyav_writer import write_h264

    script = write_script(trial.seed)
    # Names are the encoder's own labels here, so that what must be named is not asked for.
    asked = [q for q in questions(script, generator(trial.seed, CHOICE, 1)) if q.name is None]
    with tempfile.TemporaryDirectory(prefix="streammem-bench-") as folder:
        clip = Path(folder) / "script.mp4"
        write_h264(clip, pictures(script), RATE_HZ)
        for policy in trial.policies:
            yield _measured(trial, policy, clip, asked)


def _measured(trial: Trial, policy: str, clip: Path, asked: list[Asked]) -> Row:
    loaded = load_config(environ={}, project_folder=clip.parent)
    library = Library(clip.parent / policy, loaded)
    request = request_from_config(
        loaded.config,
        policy=policy,
        budget_bytes=trial.case.budget_bytes,
        encoder=ENCODER,
        device="cpu",
        audio=False,
        screen_text=False,
    )
    (result,) = library.ingest([str(clip)], request)
    if isinstance(result.error, BudgetError):
        return Row(trial.key(policy), {}, refused=result.error.message)
    if result.error is not None:
        raise result.error
    judged = [_ask(library, item) for item in asked]
    metrics = metrics_of(judged)
    metrics |= {
        "file_bytes": float(result.bytes["file"]),
        "cells": float(sum(result.cells.values())),
    }
    return Row(trial.key(policy), metrics)


def _ask(library: Library, asked: Asked) -> Judged:
    given = [(item, _given(library, item)) for item in rotations(asked)]
    return Judged(asked, given[0][1], all(is_right(item, answer) for item, answer in given))


def _given(library: Library, asked: Asked) -> Given:
    options = AskOptions(choices=asked.choices, at_s=asked.at_s)
    answer = library.ask(asked.text, options)
    return Given(answer.evidence, answer.value, answer.choice)
