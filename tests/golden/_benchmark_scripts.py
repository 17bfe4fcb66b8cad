"""Benchmark scripts as modules, so that what they publish can be tested."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load_script(name: str) -> ModuleType:
    """The script `benchmarks/NAME.py`, which finds the modules beside it as when it is run.

    Raises:
        ImportError: there is no such script.
    """
    sys.path.append(str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            f"benchmark_{name}", BENCHMARKS / f"{name}.py"
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"benchmarks/{name}.py cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        # Dataclasses of the script look their module up here.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module
