import doctest
import importlib
from pathlib import Path

import pytest

import epsinas

ROOT = Path(epsinas.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] == "epsinas":
            raise
        pytest.skip(f"{error.name} is not installed")
    failed, attempted = doctest.testmod(module)
    assert failed == 0
    assert attempted > 0


@pytest.mark.parametrize("name", sorted({*epsinas.__all__} - {"__version__"}))
def test_everything_that_the_package_offers_has_an_example(name: str):
    assert ">>> " in getattr(epsinas, name).__doc__


def test_there_are_examples():
    assert {"epsinas.evaluation.ranking", "epsinas.spaces.nas_bench_201"} <= set(MODULES)
