"""Configuration: one place for defaults, a fixed order of places, clear errors."""

import tomllib
from pathlib import Path

import pytest

from streammem.core.assets import asset_folder
from streammem.core.config import Config, load_config, user_config_path
from streammem.core.errors import ConfigError


def test_default_file_states_the_defaults_of_the_classes() -> None:
    """`configs/default.toml` and the classes say the same."""
    text = (asset_folder("configs") / "default.toml").read_text(encoding="utf-8")

    assert Config.model_validate(tomllib.loads(text)) == Config()


def test_later_places_win(tmp_path: Path) -> None:
    """Built-in, user file, project file, environment, flag."""
    user = user_config_path()
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text(
        "[ingest]\nfps = 3\nbudget = '1MiB'\n[query]\ntop_k = 3\nmin_confidence = 0.3\n"
    )
    (tmp_path / "streammem.toml").write_text("[ingest]\nfps = 4\n[query]\ntop_k = 4\n")
    environ = {"STREAMMEM_INGEST_FPS": "5", "STREAMMEM_LIBRARY": "elsewhere"}

    loaded = load_config(flags={"query.top_k": 9}, environ=environ, project_folder=tmp_path)

    assert loaded.config.ingest.budget == 1024**2
    assert loaded.config.ingest.fps == 5
    assert loaded.config.query.top_k == 9
    assert loaded.config.query.min_confidence == 0.3
    assert loaded.config.library.folder == "elsewhere"
    origins = {key: origin for key, _, origin in loaded.rows()}
    assert origins["ingest.fps"] == "STREAMMEM_INGEST_FPS"
    assert origins["query.top_k"] == "flag"
    assert origins["ingest.budget"] == str(user)
    assert origins["ingest.policy"] == "built-in"


def test_unknown_key_names_the_nearest() -> None:
    """A misspelt setting is an error with a suggestion, not silence."""
    with pytest.raises(ConfigError, match=r"unknown setting 'ingest.fpps'") as caught:
        load_config(flags={"ingest.fpps": 1})

    assert caught.value.hint == "did you mean ingest.fps?"


@pytest.mark.parametrize(
    ("key", "value"),
    [("ingest.fps", 0), ("ingest.budget", "1KiB"), ("query.top_k", 0), ("ingest.device", "gpu")],
)
def test_value_out_of_range_is_refused(key: str, value: object) -> None:
    """The error names the key, the value and where it came from."""
    with pytest.raises(ConfigError, match=rf"{key} is .*from flag"):
        load_config(flags={key: value})
