"""Fixtures for every test: no network, no user settings, the shared clips where they exist."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent

# What holds for every input holds on a busy machine, too: how long an example takes, and how long
# it takes to think of one, is no part of a property. Tests of speed count processor time.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the user's settings, caches or library, and none reaches a hub."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith("STREAMMEM_") and name != "STREAMMEM_SHARED":
            monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name))
    # Few tests are about what is seen: the encoder that loads fastest will do for the others.
    monkeypatch.setenv("STREAMMEM_INGEST_ENCODER", "descriptor")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(home / "hf"))


def shared_folder() -> Path | None:
    """The folder of real clips and weights, None for a stranger without it."""
    folder = Path(os.environ.get("STREAMMEM_SHARED", REPOSITORY.parent / "shared"))
    return folder if (folder / "data" / "real").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; skips the test where it is absent."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("the shared clips are absent; set STREAMMEM_SHARED to their folder")
    return folder


@pytest.fixture(scope="session")
def real_clips(shared: Path) -> Path:
    """The folder of real clips."""
    return shared / "data" / "real"


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of clips that this project renders itself."""
    return REPOSITORY / "samples"
