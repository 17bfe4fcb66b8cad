"""What `--explain` shows: the plan of a question, its searches, its steps and their result."""

from dataclasses import asdict
from typing import Any

from streammem.core.types import Findings
from streammem.query.inquiry import Inquiry, View


def explained(inquiry: Inquiry, findings: Findings) -> dict[str, Any]:
    """One document: `plan`, `memories`, `searches`, `steps` and `result`, ready for JSON.

    `searches` tell how phrases were scored: confidence = trust / (1 + exp(-(z - midpoint) /
    scale)), where z = (cosine - mean) / deviation - shift_z, mean and deviation being `zero`, or
    each span's own where that is null. `steps` are the operators in the order in which they ran,
    each with the spans that it gave.
    """
    question = asdict(inquiry.question)
    plan = {key: value for key, value in question.items() if value not in (None, (), False)}
    plan.pop("notes", None)
    return {
        "plan": plan,
        "memories": [memory_facts(view) for view in inquiry.views],
        "min_confidence": inquiry.options.min_confidence,
        "asked_at_s": inquiry.options.at_s,
        "searches": inquiry.searches,
        "steps": inquiry.steps,
        "result": {
            "value": findings.value,
            "choice": findings.choice,
            "confidence": findings.confidence,
            "abstained": findings.abstained,
        },
    }


def memory_facts(view: View) -> dict[str, Any]:
    """What an explanation says of one memory that was asked."""
    background = view.memory.encoder.background()
    return {
        "memory_id": view.memory.memory_id,
        "encoder": view.memory.encoder.spec.id,
        "window_s": [view.window.start_s, view.window.end_s],
        "covered": view.window.covered,
        "background": None if background is None else background.kind,
        "midpoint": view.scale.midpoint,
        "scale": view.scale.scale,
    }
