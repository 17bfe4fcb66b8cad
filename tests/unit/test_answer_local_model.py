"""Local models for real: a tiny one that was taught here, through transformers and a server."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streammem.answer.base import Answerer, Material, NoReplyError, OnProgress, Reply
from streammem.answer.chat_server import ChatServer, ChatSettings
from streammem.answer.local_model import LocalModel, LocalSettings
from streammem.core.alerts import Alert, AlertRule
from streammem.core.config import AnswerConfig
from streammem.core.errors import MissingError, UsageError
from streammem.runtime.alerting import Alerting, AlertSetup
from streammem.runtime.alerting_confirm import Confirmer
from streammem.runtime.answering import load_answerer
from tests.unit import _tiny_vlm
from tests.unit._query_world import WordEncoder

pytestmark = pytest.mark.skipif(
    find_spec("transformers") is None, reason="the extra `vlm` is not installed"
)

SETTINGS = LocalSettings(device="cpu", max_tokens=60)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, as the hub lays models out."""
    folder = tmp_path_factory.mktemp("tiny-vlm")
    _tiny_vlm.build(folder)
    return folder


@pytest.fixture(scope="module")
def local_model(model_folder: Path) -> LocalModel:
    """The adapter with the model loaded."""
    return LocalModel(str(model_folder), SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("colour", _tiny_vlm.COLOURS)
def test_a_local_model_sees_the_picture_and_cites_it(local_model: LocalModel, colour: str) -> None:
    """Only the pictures differ; its time and its unknown id are removed."""
    reply = local_model.answer(_tiny_vlm.material(colour))

    assert reply.text == f"The picture is {colour} [e1 00:00:02.000 - 00:00:05.000]."
    assert (reply.cited, reply.dropped) == (("e1",), 2)
    assert local_model.answer(_tiny_vlm.material(colour)) == reply
    assert local_model.name.startswith("transformers:")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SmolVLM", "Qwen2.5-VL", "LLaVA-OneVision"])
def test_other_kinds_of_models_are_fed_as_they_want(kind: str, tmp_path: Path) -> None:
    """Random ones write noise to words and pictures; of that nothing is kept."""
    from tests.unit import _other_vlms

    _other_vlms.save(kind, tmp_path)
    model = LocalModel(str(tmp_path), replace(SETTINGS, max_tokens=24))
    asked = _tiny_vlm.material("red")
    several = replace(asked, pictures=asked.pictures * 3)

    for given in (asked, several, replace(asked, pictures=())):
        reply = model.answer(given)
        assert (reply.text, reply.cited) == ("", ())


@pytest.mark.slow
def test_a_model_that_fails_is_no_reply(model_folder: Path) -> None:
    """Room for no word at all is refused by the model's own code."""
    silent = LocalModel(str(model_folder), replace(SETTINGS, max_tokens=0))

    with pytest.raises(NoReplyError, match=r"the model failed \(ValueError\)"):
        silent.answer(_tiny_vlm.material("red"))


@pytest.fixture(scope="module")
def served(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`transformers serve` on a free port of this machine."""
    if not all(map(find_spec, ("fastapi", "uvicorn", "openai"))):
        pytest.skip("transformers[serving] is not installed")
    home = tmp_path_factory.mktemp("hub")
    # Bound and not listened at here, so that no other program gets the port before the server does;
    # both have to say that they share it, and the server does.
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    port = keeper.getsockname()[1]
    code = "from transformers.cli.transformers import main; main()"
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with keeper, (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)},
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(120)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + 150.0
    while True:
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < give_up_at, "the server did not start"
        try:
            with urllib.request.urlopen(address, timeout=5.0) as response:
                response.read()
            return
        except OSError:
            time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("colour", _tiny_vlm.COLOURS)
def test_the_same_model_behind_a_real_server_says_the_same(
    served: str, model_folder: Path, local_model: LocalModel, colour: str
) -> None:
    """The OpenAI protocol of `transformers serve`, streamed, with the picture as a data URL."""
    written: list[int] = []
    server = ChatServer(f"{served}#{model_folder}", ChatSettings(max_tokens=60, timeout_s=120.0))
    reply = server.answer(_tiny_vlm.material(colour), written.append)

    assert reply == local_model.answer(_tiny_vlm.material(colour))
    assert reply.cited == ("e1",)
    assert len(written) > 5


class _Clerk:
    """Writes down what it is asked, and says nothing."""

    name = "clerk"

    def __init__(self) -> None:
        self.asked: list[Material] = []

    def answer(self, material: Material, on_progress: OnProgress | None = None) -> Reply:
        """Raises NoReplyError."""
        self.asked.append(material)
        raise NoReplyError("a clerk only writes down")


def _alerts(colour: str, confirmer: Callable[[AlertRule], Answerer]) -> list[Alert]:
    """The alerts over a stream with one visit of a word whose pictures have a colour."""
    encoder, heard = WordEncoder(), list[Alert]()
    words = ["sky"] * 40 + ["red"] * 10 + ["sky"] * 20
    frames = np.stack([encoder.encode_text(word).embedding for word in words])
    with Image.open(io.BytesIO(_tiny_vlm.picture(colour))) as image:
        pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    rule = AlertRule("red", text="red", warm_up_s=10.0, confirm="somebody", confirm_timeout_s=120.0)
    alerting = Alerting(
        AlertSetup.prepare((rule,), encoder),
        heard.append,
        interval_s=0.5,
        confirmers={"red": Confirmer(confirmer(rule), rule, None)},
        wait_for_verdicts=True,
    )
    times = 0.5 * np.arange(len(frames))
    alerting.observe(times, frames, np.broadcast_to(pixels, (len(frames), *pixels.shape)))
    alerting.finish()
    alerting.close()
    return heard


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that was taught to tell whether the frame of an alert is red."""
    clerk, folder = _Clerk(), tmp_path_factory.mktemp("judge")
    for colour in _tiny_vlm.COLOURS:
        (unconfirmed,) = _alerts(colour, lambda _rule: clerk)
        assert unconfirmed.confirmed is None
    said = ("Yes, it is red [e1].", "No, it is blue [e1].")
    _tiny_vlm.build(folder, list(zip(clerk.asked, said, strict=True)))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transformers", "openai"])
def test_alerts_are_confirmed_by_what_a_model_sees(
    judge: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """In this process, and behind a real server: a yes is named, a no keeps the alert back."""
    where = str(judge)
    if kind == "openai":
        where = f"{request.getfixturevalue('served')}#{judge}"
    answerers: list[Answerer] = []

    def load(rule: AlertRule) -> Answerer:
        limited = AnswerConfig(timeout_seconds=rule.confirm_timeout_s, max_tokens=60)
        answerers.append(load_answerer(f"{kind}:{where}", limited, "cpu"))
        return answerers[-1]

    (heard,) = _alerts("red", load)
    assert heard.confirmed
    assert heard.confirmed_by == answerers[0].name
    assert _alerts("blue", lambda _rule: answerers[0]) == []


def test_a_folder_that_is_absent_is_a_usage_error(tmp_path: Path) -> None:
    """It is looked at before anything heavy is imported."""
    with pytest.raises(UsageError, match="there is no folder"):
        LocalModel(str(tmp_path / "none"), SETTINGS)


def test_a_folder_without_a_model_is_missing_weights(tmp_path: Path) -> None:
    """What is missing is named."""
    with pytest.raises(MissingError, match=r"config\.json is missing"):
        LocalModel(str(tmp_path), SETTINGS)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(MissingError, match="no weights as safetensors"):
        LocalModel(str(tmp_path), SETTINGS)


@pytest.mark.slow
def test_a_model_of_another_kind_is_named(model_folder: Path, tmp_path: Path) -> None:
    """A text model, a damaged one, one with code of its own: each ends in one sentence."""
    for name, change, words in (
        ("text", {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "no vision"),
        (
            "own",
            {"model_type": "own", "auto_map": {"AutoConfig": "code.Config"}},
            "code of its own",
        ),
        ("unknown", {"model_type": "does-not-exist"}, "no vision"),
    ):
        folder = tmp_path / name
        shutil.copytree(model_folder, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        (folder / "code.py").write_text("raise SystemExit('this must never run')")
        with pytest.raises(MissingError, match=words) as raised:
            LocalModel(str(folder), SETTINGS)
        assert raised.value.exit_code == 5
        assert "\n" not in raised.value.message
    damaged = tmp_path / "damaged"
    shutil.copytree(model_folder, damaged)
    (damaged / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(MissingError, match="no vision"):
        LocalModel(str(damaged), SETTINGS)


@pytest.mark.slow
def test_a_model_without_a_chat_template_cannot_be_asked(
    model_folder: Path, tmp_path: Path
) -> None:
    """Base models continue texts; they do not answer."""
    folder = tmp_path / "base"
    shutil.copytree(model_folder, folder)
    (folder / "chat_template.jinja").unlink()

    with pytest.raises(MissingError, match="no chat template"):
        LocalModel(str(folder), SETTINGS)


def test_without_the_extra_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine on which it was never installed."""
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(MissingError, match="need the extra") as raised:
        LocalModel(str(tmp_path), SETTINGS)
    assert raised.value.hint == "pip install 'streammem[vlm]'"
