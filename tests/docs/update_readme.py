"""Runs README's console blocks and writes what they print: `python tests/docs/update_readme.py`."""

import re
import shlex
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from test_readme import README, REPOSITORY, run, transcript


def rewritten(block: re.Match[str], library: Path) -> str:
    """The block with fresh output."""
    lines = []
    for command, _ in transcript(block.group(1)):
        arguments = [sys.executable, "-m", "streammem_cli", *shlex.split(command)[1:]]
        lines.append(f"$ {command}\n{run(arguments, library)}")
    return "```console\n" + "".join(lines) + "```"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        pattern = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
        text = pattern.sub(lambda block: rewritten(block, Path(folder) / "library"), README)
    (REPOSITORY / "README.md").write_text(text, encoding="utf-8")
