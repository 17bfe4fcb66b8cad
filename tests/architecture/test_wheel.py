"""The wheel holds the two packages and the data folders, nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_wheel_holds_two_packages_and_the_data(tmp_path: Path) -> None:
    """`import cli` or `import models` must never work after an install."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"streammem", "streammem_cli"}
    assert "streammem/_assets/configs/default.toml" in names
    assert "streammem/_assets/models/descriptor/manifest.toml" in names
    assert "streammem/py.typed" in names
