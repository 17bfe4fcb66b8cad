"""The rules of the house that import-linter cannot see."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = sorted([*REPOSITORY.glob("streammem/**/*.py"), *REPOSITORY.glob("cli/**/*.py")])
MODULE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 7
HEAVY = {
    "av": "streammem/video/_pyav",
    "decord": "streammem/video/_decord.py",
    "open_clip": "streammem/encoders/_open_clip.py",
    "huggingface_hub": "streammem/encoders/pull.py",
    "sqlite3": "streammem/storage/",
    "onnxruntime": "streammem/audio/_silero.py",
    "faster_whisper": "streammem/audio/_faster_whisper.py",
    "ai_edge_litert": "streammem/audio/_litert.py",
    "transformers": "streammem/answer/_transformers.py",
    "ray": "streammem/runtime/batch/_ray.py",
    "fsspec": "streammem/runtime/batch/_fsspec.py",
}


def _relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield _relative(path), ast.parse(path.read_text(encoding="utf-8"))


def test_modules_are_at_most_400_lines_and_have_a_docstring() -> None:
    """A module fits in a head, and says in its first sentence why it exists."""
    long = [p for p in MODULES if len(p.read_text().splitlines()) > MODULE_LINES]
    silent = [name for name, tree in _trees() if not ast.get_docstring(tree)]

    assert [_relative(path) for path in long] == []
    assert silent == []


def test_functions_are_at_most_60_lines_and_7_parameters() -> None:
    """A function does one thing; more parameters than seven belong into an options object."""
    offenders = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not name.startswith("cli/"):
                arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                count = sum(arg.arg not in ("self", "cls") for arg in arguments)
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES or count > PARAMETERS:
                    offenders.append(f"{name}:{node.name} {lines} lines {count} parameters")

    assert offenders == []


def test_only_render_prints() -> None:
    """Results and messages leave through one file."""
    offenders = [
        f"{name}:{node.lineno}"
        for name, tree in _trees()
        if not name.endswith("streammem_cli/render.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]

    assert offenders == []


def test_no_bare_except_no_pickle_no_eval() -> None:
    """Nothing is swallowed silently and no data is code."""
    offenders = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                silent = all(isinstance(child, ast.Pass) for child in node.body)
                if node.type is None or silent:
                    offenders.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or node.names[0].name
                if module.split(".")[0] in ("pickle", "shelve", "marshal", "dill"):
                    offenders.append(f"{name}:{node.lineno}")
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in ("eval", "exec"):
                offenders.append(f"{name}:{called.lineno}")

    assert offenders == []


def test_no_module_is_a_drawer() -> None:
    """Modules are named for what they hold."""
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

    assert [p for p in map(_relative, MODULES) if Path(p).stem.strip("_") in vague] == []


@pytest.mark.parametrize("package", sorted(HEAVY))
def test_a_heavy_package_has_one_importer(package: str) -> None:
    """Each heavy dependency sits behind one adapter."""
    importers = set()
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                roots = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots = {(node.module or "").split(".")[0]}
            else:
                continue
            if package in roots:
                importers.add(name)

    assert all(name.startswith(HEAVY[package]) for name in importers)


def test_memory_holds_no_word_of_model_file_or_text() -> None:
    """Memory is a data structure: its identifiers know arrays, cells and times only."""
    foreign = re.compile(
        r"(^|_)(clip|encoder|model|video|audio|file|path|text|word|caption|subtitle|speech"
        r"|prompt|sqlite|thumbnail|question|answer|query_text)s?(_|$)",
        re.IGNORECASE,
    )
    offenders = []
    for path in REPOSITORY.glob("streammem/memory/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [
                getattr(node, field)
                for field in ("id", "attr", "arg", "name")
                if isinstance(getattr(node, field, None), str)
            ]
            if isinstance(node, ast.Attribute) and node.attr == "clip":
                continue  # numpy.clip
            offenders += [f"{_relative(path)}: {name}" for name in names if foreign.search(name)]

    assert sorted(set(offenders)) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    """The package and its public names cost milliseconds until they are used."""
    code = (
        "import sys, streammem, streammem.api; streammem.MemoryStore; streammem.parse_question;"
        "heavy = {'torch', 'av', 'open_clip', 'decord', 'torchvision'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_public_names_are_those_of_the_contract() -> None:
    """`streammem` exports exactly what it promises."""
    import streammem

    assert streammem.__all__ == [
        "AskOptions",
        "Library",
        "Memory",
        "MemoryStore",
        "StreamMemError",
        "parse_question",
    ]
    assert all(hasattr(streammem, name) for name in streammem.__all__)
