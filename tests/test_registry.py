from dataclasses import dataclass

import pytest

from epsinas import InputError, list_metrics
from epsinas.datasets.base import DATASETS
from epsinas.engines.base import FAMILIES
from epsinas.metrics.base import METRICS
from epsinas.registry import Registry, import_all
from epsinas.spaces.base import SPACES
from epsinas.study.page import PAGES


@dataclass(frozen=True)
class Thing:
    name: str


@pytest.fixture
def registry():
    return Registry("thing", "epsinas.metrics", "THING")


def test_what_the_package_has():
    assert SPACES.names == ("nas-bench-101", "nas-bench-201", "nas-bench-nlp")
    assert FAMILIES.names == ("images", "sequences")
    assert {"epsilon", "random_pair"} <= set(METRICS.names)
    assert list_metrics() == list(METRICS.names)
    assert {"cifar10", "cifar100", "ImageNet16-120", "ptb", "wikitext-2"} <= set(DATASETS.names)
    assert {f"table{number}" for number in range(1, 12)} <= set(PAGES.names)
    numbers = [page.number for page in PAGES if page.number is not None]
    assert sorted(numbers) == list(range(1, 12))


def test_objects_of_ones_own_come_last_and_go_again(registry):
    thing = registry.register(Thing("mine"))
    assert registry["mine"] is thing
    assert "mine" in registry
    assert registry.names == ("mine",)
    assert list(registry) == [thing]
    registry.register(thing)  # the same again is no mistake
    registry.unregister("mine")
    assert "mine" not in registry


def test_two_objects_of_one_name(registry):
    registry.register(Thing("mine"))
    message = "thing 'mine': found two of this name, expected different names"
    with pytest.raises(InputError, match=message):
        registry.register(type("Other", (), {"name": "mine"})())
    with pytest.raises(InputError, match="search space 'nas-bench-101': found two of this name"):
        SPACES.register(type("Mine", (), {"name": "nas-bench-101"}))


def test_unknown_names_are_answered_with_the_known_ones(registry):
    registry.register(Thing("mine"))
    registry.register(Thing("yours"))
    with pytest.raises(InputError, match="unknown thing 'theirs': expected one of mine, yours"):
        registry["theirs"]


def test_modules_are_found_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])
    (tmp_path / "a_module_of_ones_own.py").write_text("WORD = 'here'\n")
    import_all(["a_module_of_ones_own"])
    with pytest.raises(InputError, match="module nowhere: cannot be imported: No module named 'nowhere'"):
        import_all(["nowhere"])
