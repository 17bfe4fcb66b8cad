"""Files of alerts: every key with its unit, and errors that name the line."""

import re
from pathlib import Path

import pytest

from streammem.core.alert_file import KEYS, check_rules, read_rules, rule_of_image, rule_of_text
from streammem.core.alerts import MAX_RULES, AlertRule
from streammem.core.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
WHOLE = """
[defaults]
cool_down = "1m"
max_per_day = 5

[[alert]]
name = "fall"
text = "a person lies on the ground"
threshold = 8
min_strength = 0.5
confirm_frames = 2
confirm_of = 4
confirm_window = "3s"
warm_up = 60
adapt = "2h"
confirm = "openai:http://127.0.0.1:8000/v1#model"
confirm_timeout = 5

[[alert]]
image = "face.png"
cool_down = 5.5
release = 1

[[alert]]
text = "somebody at the desk"
absent_for = "5m"
"""


def test_a_whole_file_is_read_with_its_units(tmp_path: Path) -> None:
    """Times are seconds or texts, defaults are common, pictures lie beside the file."""
    path = tmp_path / "alerts.toml"
    path.write_text(WHOLE)
    fall, face, desk = check_rules(read_rules(path))

    assert fall == AlertRule(
        "fall", "a person lies on the ground", None, 8.0, 4.0, 0.5, 2, 4, 3.0, 60.0, 7200.0,
        60.0, 5, None, "openai:http://127.0.0.1:8000/v1#model", 5.0,
    )  # fmt: skip
    assert face.image == str(tmp_path / "face.png")
    assert (face.name, face.cool_down_s, face.release) == ("face", 5.5, 1.0)
    assert (desk.absent_for_s, desk.max_per_day) == (300.0, 5)


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ('[[alert]]\ntext = "sky"\nthreshhold = 3\n', "line 3", "did you mean threshold?"),
        ('[[alert]]\ntext = "sky"\ncool_down = "soon"\n', "line 3", "cool_down"),
        ('[[alert]]\ntext = "a"\n[[alert]]\nmax_per_day = 0\n', "line 4", "most reports"),
        ('[[alert]]\ntext = "a"\nmax_per_day = 3\n[[alert]]\nmax_per_day = 0\n', "line 5", "most"),
        ('[[alert]]\ntext = "sky"\nwarm_up = nan\n', "line 3", "usual score"),
        ('[[alert]]\ntext = "sky"\nthreshold = "high"\n', "line 3", "deviations"),
        ('[[alert]]\ntext = "sky"\nconfirm_of = 2.5\n', "line 3", "in a row"),
        ('[[alert]]\ntext = ""\n', "line 2", "in words"),
        ('[[alrt]]\ntext = "sky"\n', "line 1", "did you mean alert?"),
        ('[defaults]\nname = "x"\n[[alert]]\ntext = "a"\n', "line 2", "one of threshold"),
        ('[[alert]]\nimage = "a.png"\ntext = "sky"\n', "alert 1", "text ="),
        ('[[alert]]\ntext = "sky"\nthreshold = 2\nrelease = 3\n', "line 4", "release"),
        ('[[alert]]\ntext = "sky"\nconfirm_frames = 9\n', "line 3", "confirm_of"),
        ('[[alert]]\ntext = "sky"\nconfirm = "friend"\n', "line 3", "openai"),
        ('[alert]\ntext = "sky"\n', "are tables", "[[alert]]"),
        ("defaults = 3\n", "defaults", "[defaults]"),
        ("[defaults]\n", "holds no alert", "[[alert]]"),
        ("[[alert]\n", "cannot read", "docs/alerts.md"),
    ],
)
def test_what_a_file_cannot_mean_is_told_with_its_line(
    tmp_path: Path, text: str, line: str, hint: str
) -> None:
    """Nothing is guessed."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_rules(path)

    assert line in raised.value.message
    assert hint in f"{raised.value.hint} {raised.value.message}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        read_rules(tmp_path / "absent.toml")


def test_rules_of_all_places_are_checked_together() -> None:
    """Two of one name cannot be told apart in reports; their number is bounded."""
    sky = rule_of_text(" sky ")
    assert (sky.name, sky.text) == ("sky", "sky")
    assert rule_of_image("a/face.png").name == "face"
    with pytest.raises(ConfigError, match="two alerts are called 'sky'"):
        check_rules([sky, sky])
    with pytest.raises(ConfigError, match="are more than"):
        check_rules([rule_of_text(str(n)) for n in range(MAX_RULES + 1)])
    with pytest.raises(ConfigError, match="no words"):
        rule_of_text("  ")


def test_every_key_is_documented() -> None:
    """docs/alerts.md has a row for each key."""
    documented = re.findall(r"^\| `(\w+)` ", (REPOSITORY / "docs" / "alerts.md").read_text(), re.M)

    assert documented == list(KEYS)
