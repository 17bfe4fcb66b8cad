"""Who words an answer: chosen by name, given its material, and replaced where it fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from streammem.answer.base import (
    Answerer,
    Material,
    NoReplyError,
    OnProgress,
    Reply,
    no_progress,
)
from streammem.answer.evidence import EvidenceAnswerer, put_into_words
from streammem.core.config import AnswerConfig
from streammem.core.errors import UsageError
from streammem.core.types import Evidence, Findings, Question

if TYPE_CHECKING:
    from streammem.runtime.asking import OpenMemory
    from streammem.runtime.material import Limits

# Where the memory has not enough evidence, a model may still tell what pictures show; whether,
# when, how often and in which order something happens is decided by the memory alone.
OPEN_INTENTS = frozenset({"what_at", "now", "describe", "choose"})


@dataclass(frozen=True, slots=True)
class Wording:
    """Who words an answer, how many pictures it gets and how large, and who hears of progress."""

    answerer: Answerer = field(default_factory=EvidenceAnswerer)
    pictures: int = 8
    picture_px: int = 512
    on_progress: OnProgress = no_progress


@dataclass(frozen=True, slots=True)
class Worded:
    """An answer in words: by whom, and the evidence it rests on, numbered and best first."""

    text: str
    answerer: str
    abstained: bool
    evidence: tuple[Evidence, ...]
    candidates: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()


def load_answerer(name: str, config: AnswerConfig, device: str) -> Answerer:
    """The answerer of a name: `evidence`, `openai:URL[#MODEL]` or `transformers:PATH`.

    Raises:
        UsageError: there is none of that name, or its address or key cannot be used.
        MissingError: the packages or the weights of a local model are not here.
    """
    kind, _, place = name.partition(":")
    if name == "evidence":
        return EvidenceAnswerer()
    if kind == "openai" and place:
        from streammem.answer.chat_server import ChatServer, ChatSettings

        settings = ChatSettings(
            model=config.model,
            timeout_s=config.timeout_seconds,
            max_tokens=config.max_tokens,
            cue_chars=config.cue_chars,
            key_file=config.key_file,
        )
        return ChatServer(place, settings)
    if kind == "transformers" and place:
        from streammem.answer.local_model import LocalModel, LocalSettings

        return LocalModel(place, LocalSettings(device, config.max_tokens, config.cue_chars))
    raise UsageError(
        f"unknown answerer {name!r}",
        hint="evidence, openai:URL#MODEL or transformers:FOLDER",
        code="unknown_answerer",
    )


class AnswererChoice(Protocol):
    """The part of `streammem.api.AskOptions` that says who words the answer."""

    @property
    def answerer(self) -> str: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102


def wording_for(
    choice: AnswererChoice,
    config: AnswerConfig,
    loaded: dict[tuple[str, str], Answerer],
    on_progress: OnProgress | None,
) -> Wording | None:
    """The answerer that was asked for, kept in `loaded` for later; None for the built-in one.

    Raises:
        UsageError, MissingError: as `load_answerer`.
    """
    if choice.answerer == "evidence":
        return None
    key = (choice.answerer, choice.device)
    if key not in loaded:
        loaded[key] = load_answerer(choice.answerer, config, choice.device)
    return Wording(loaded[key], config.pictures, config.picture_px, on_progress or no_progress)


def word(
    question: Question,
    findings: Findings,
    opened: "Sequence[OpenMemory]",
    limits: "Limits | None",
    wording: Wording,
) -> Worded:
    """The answer in the words of the chosen answerer, else those of the built-in one with a note.

    Numbers, yes and no, options and spans are those of the findings whoever words them. `limits`
    None stands for the evidence answerer, which needs no more than the findings.
    """
    sentence = put_into_words(question, findings)
    built_in = EvidenceAnswerer()
    plain = Worded(
        built_in.answer(Material(question, findings, sentence)).text,
        built_in.name,
        findings.abstained,
        findings.evidence,
        findings.candidates,
    )
    if limits is None or isinstance(wording.answerer, EvidenceAnswerer):
        return plain
    name = wording.answerer.name
    if findings.abstained and question.intent not in OPEN_INTENTS:
        return _noted(plain, f"{name} was not asked: there is not enough evidence")
    from streammem.runtime.material import gather

    material = gather(question, findings, sentence, opened, limits)
    if not material.citable:
        return _noted(plain, f"{name} was not asked: there is nothing it could cite")
    try:
        reply = wording.answerer.answer(material, wording.on_progress)
    except NoReplyError as problem:
        return _noted(plain, f"{name} gave no answer: {problem}; this is the evidence answer")
    if not reply.text:
        reason = "nothing it wrote rests on the evidence"
        return _noted(
            plain, *reply.notes, f"{name} is left out: {reason}; this is the evidence answer"
        )
    return _from_reply(material, reply, name)


def _noted(plain: Worded, *notes: str) -> Worded:
    return Worded(
        plain.text, plain.answerer, plain.abstained, plain.evidence, plain.candidates, notes
    )


def _from_reply(material: Material, reply: Reply, name: str) -> Worded:
    """A checked reply with the evidence found, and behind it what was cited besides."""
    findings = material.findings
    found = {item.id for item in findings.evidence}
    besides = tuple(material.citable[cited] for cited in reply.cited if cited not in found)
    notes = list(reply.notes)
    if findings.abstained:
        notes.append(f"the memory alone has not enough evidence; this is what {name} sees there")
    if reply.dropped:
        one = reply.dropped == 1
        notes.append(
            f"{reply.dropped} {'sentence' if one else 'sentences'} of {name} "
            f"{'was' if one else 'were'} left out: no evidence bears {'it' if one else 'them'} out"
        )
    return Worded(
        text=reply.text,
        answerer=name,
        abstained=False,
        evidence=(*findings.evidence, *besides),
        candidates=() if findings.abstained else findings.candidates,
        notes=tuple(notes),
    )
