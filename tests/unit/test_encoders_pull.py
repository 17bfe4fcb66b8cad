"""Fetching weights: through a hub on the loopback, by the hub's own client, in fresh processes."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streammem.core.errors import UsageError
from streammem.encoders.pull import list_models, pull
from streammem.encoders.registry import PUBLISHED

MODEL = "open_clip:tiny-clip/random"
SAFE, PLAIN = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# Adds the tiny model to the list, then does what the test asks for.
CHILD = """
import json, sys
from streammem.encoders import registry
registry.PUBLISHED += (registry.Published(
    "open_clip:tiny-clip/random", "somebody/tiny", "Apache-2.0", "for a test"),)
from streammem.core.errors import StreamMemError
from streammem.encoders.load import choose_encoder, load_encoder
from streammem.encoders.pull import pull

heard = []
try:
    path = pull("open_clip:tiny-clip/random", lambda done, total: heard.append((done, total)))
    answer = {"path": str(path), "heard": heard, "torch": "torch" in sys.modules}
    if "load" in sys.argv:
        choice = choose_encoder("auto", ["open_clip:tiny-clip/random"])
        spec = load_encoder(choice).spec
        answer |= {"id": spec.id, "dim": spec.dim, "reason": choice.reason}
except StreamMemError as error:
    answer = {**error.to_json(), "exit_code": error.exit_code}
print(json.dumps(answer))
"""


class Hub:
    """Files of one repository, served as the hub does; counts requests, may lie about digests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.stated: dict[str, str] = {}
        self.requests: list[str] = []
        hub = self

        class _Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self, with_body=False)

            def do_GET(self) -> None:
                hub.answer(self, with_body=True)

            def log_message(self, *args: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, *, with_body: bool) -> None:
        """A file with the headers that the hub's client reads, or its way to say 404."""
        self.requests.append(f"{handler.command} {handler.path}")
        name = handler.path.removeprefix("/somebody/tiny/resolve/main/")
        body = self.files.get(name)
        if body is None:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "EntryNotFound")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        digest = self.stated.get(name, hashlib.sha256(body).hexdigest())
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", f'"{digest}"')
        handler.send_header("X-Linked-Etag", f'"{digest}"')
        handler.send_header("X-Linked-Size", str(len(body)))
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.end_headers()
        if with_body:
            handler.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A running hub without files."""
    running = Hub()
    yield running
    running.server.shutdown()
    running.server.server_close()


def run_child(folder: Path, url: str, *args: str, **environ: str) -> dict:
    """Pull in a process whose environment holds nothing of this one's hub settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_", "STREAMMEM_"))}
    env |= {"XDG_CACHE_HOME": str(folder), "HF_ENDPOINT": url, "HF_HUB_ETAG_TIMEOUT": "60"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, *args],
        capture_output=True,
        text=True,
        check=False,
        env=env | environ,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def tiny_checkpoint() -> bytes:
    import open_clip
    import torch
    from safetensors.torch import save

    from streammem.core.assets import asset_folder

    open_clip.add_model_config(asset_folder("models") / "tiny-clip" / "tiny-clip.json")
    torch.manual_seed(0)
    state = open_clip.create_model("tiny-clip").state_dict()
    return save({name: value.contiguous() for name, value in state.items()})


def test_pulled_weights_are_chosen_and_load(hub, tmp_path):
    """From the hub through the user's cache to a working encoder, with progress up to the end."""
    body = tiny_checkpoint()
    hub.files[SAFE] = body

    answer = run_child(tmp_path, hub.url, "load")

    path = Path(answer["path"])
    assert path.read_bytes() == body
    assert path.is_relative_to(tmp_path)
    assert answer["heard"][-1] == [len(body), len(body)]
    assert (answer["id"], answer["dim"]) == (MODEL, 32)
    assert "first of the list" in answer["reason"]
    assert answer["torch"] is False


def test_a_second_pull_checks_and_asks_nobody(hub, tmp_path):
    """Complete weights are verified from their record; the hub hears nothing."""
    hub.files[SAFE] = b"weights" * 1000
    first = run_child(tmp_path, hub.url)
    heard_before = len(hub.requests)

    second = run_child(tmp_path, hub.url, HF_HUB_OFFLINE="1")

    assert second["path"] == first["path"]
    assert len(hub.requests) == heard_before


def test_damaged_weights_are_fetched_again(hub, tmp_path):
    """A pulled file that no longer has its recorded digest is replaced."""
    hub.files[SAFE] = b"weights" * 1000
    path = Path(run_child(tmp_path, hub.url)["path"])
    path.write_bytes(b"damaged")

    run_child(tmp_path, hub.url)

    assert path.read_bytes() == b"weights" * 1000


def test_a_wrong_digest_removes_the_file(hub, tmp_path):
    """Bytes that differ from what the hub states are not kept: exit 5, code digest_mismatch."""
    hub.files[SAFE] = b"weights" * 1000
    hub.stated[SAFE] = "ab" * 32

    answer = run_child(tmp_path, hub.url)

    assert (answer["code"], answer["exit_code"]) == ("digest_mismatch", 5)
    assert "the file was removed" in answer["message"]
    assert not list(tmp_path.rglob(SAFE))
    assert not list(tmp_path.rglob("pulled.json"))


def test_the_older_file_format_is_taken_where_there_is_no_safetensors(hub, tmp_path):
    """A repository with only the .bin file works too; side files come along."""
    hub.files[PLAIN] = b"weights"
    hub.files["open_clip_config.json"] = b"{}"

    path = Path(run_child(tmp_path, hub.url)["path"])

    assert path.name == PLAIN
    assert (path.parent / "open_clip_config.json").read_bytes() == b"{}"


def test_a_repository_without_weights_is_named(hub, tmp_path):
    """Nothing to fetch there: exit 5 with the names that were looked for."""
    answer = run_child(tmp_path, hub.url)

    assert (answer["code"], answer["exit_code"]) == ("missing_weights", 5)
    assert SAFE in answer["message"]


def test_offline_is_exit_5_with_the_remedy(hub, tmp_path):
    """HF_HUB_OFFLINE is respected: no request, and the way out is named."""
    answer = run_child(tmp_path, hub.url, HF_HUB_OFFLINE="1")

    assert (answer["code"], answer["exit_code"]) == ("hub_unreachable", 5)
    assert "--weights FILE" in answer["hint"]
    assert hub.requests == []


def test_an_unreachable_hub_is_exit_5_with_the_remedy(hub, tmp_path):
    """A closed port ends soon, without a traceback."""
    hub.server.shutdown()
    hub.server.server_close()
    with socket.socket() as held:
        # No other program may begin to listen there.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(hub.server.server_address)
        answer = run_child(tmp_path, hub.url)

    assert (answer["code"], answer["exit_code"]) == ("hub_unreachable", 5)
    assert "somebody/tiny" in answer["message"]


def test_embedded_has_nothing_to_pull():
    """It is part of every installation."""
    with pytest.raises(UsageError, match="comes with streammem"):
        pull("embedded")


def test_weights_outside_the_list_cannot_be_pulled():
    """The message names what is known for the architecture."""
    with pytest.raises(UsageError, match="laion2b_s34b_b79k"):
        pull("open_clip:ViT-B-32/openai")


def test_list_models_names_the_shipped_and_the_pullable():
    """The built-in ones are there, the others are not; each has a licence and an origin."""
    entries = list_models()
    shipped = ["descriptor", "embedded-v1"]

    assert [entry.id for entry in entries] == [*shipped, *(p.id for p in PUBLISHED)]
    assert [entry.available for entry in entries] == [True, True] + [False] * len(PUBLISHED)
    assert all(entry.licence and entry.summary for entry in entries)
    assert all(entry.repository for entry in entries[2:])
