"""A fresh install from the wheel, with no network: the shipped weights answer questions there."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CLIP = REPOSITORY / "samples" / "scenes.mp4"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of programs of a new environment; only what streammem depends on is shared."""
    folder = tmp_path_factory.mktemp("install")
    build = ["-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run([sys.executable, *build], cwd=REPOSITORY, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    home = folder / "home"
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    python = str(home / "bin" / "python")
    pip = ["-m", "pip", "--python", python, "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, *pip], capture_output=True, check=True)
    return home / "bin"


def _run(program: Path, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [str(program), *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _document(installed: Path, *arguments: str, folder: Path) -> dict[str, Any]:
    library = ("--library", str(folder / "library"), "--json")
    found: dict[str, Any] = json.loads(
        _run(installed / "streammem", *arguments, *library, folder=folder)
    )
    return found


@pytest.mark.slow
def test_an_installed_wheel_ingests_and_answers_with_the_trained_encoder(installed, tmp_path):
    place = _run(
        installed / "python", "-c", "import streammem; print(streammem.__file__)", folder=tmp_path
    )
    options = ("--encoder", "embedded-v1", "--no-audio", "--no-ocr")
    ingested = _document(installed, "ingest", str(CLIP), *options, folder=tmp_path)
    answer = _document(installed, "ask", "when is the screen yellow?", folder=tmp_path)

    assert Path(place.strip()).is_relative_to(installed.parent)
    assert ingested["results"][0]["encoder"] == answer["encoder"] == "embedded-v1"
    assert answer["evidence"][0]["start_s"] == pytest.approx(15.5, abs=0.5)
    assert answer["evidence"][0]["end_s"] == pytest.approx(19.5, abs=0.5)


@pytest.mark.slow
def test_doctor_finds_the_installed_weights_sound(installed, tmp_path):
    checks = _document(installed, "doctor", folder=tmp_path)["results"]
    (weights,) = [check for check in checks if check["name"] == "weights"]

    assert weights["status"] == "ok"
    assert "embedded-v1" in weights["detail"]
