import pytest

from epsinas.errors import InputError
from epsinas.pages.every_network import PAGE
from epsinas.study.config import read_study
from epsinas.study.plan import Plan

COMMON = {"performance": {"split": "test", "epochs": 200}, "datasets": ["cifar10"], "inputs": "pink_noise"}
METRICS = {"metrics": ["kernel_agreement", "epsilon"], "comparison": {"metrics": ["params"], "networks": 20}}
PROTOCOL = {"role": "verdict", "frozen": "kernel_agreement", "candidates": ["parameters"]}


def plan(**sections):
    return Plan(read_study({"study": "s"} | sections))


def test_only_benchmarks_that_have_a_role_are_in_the_table():
    images = COMMON | METRICS
    assert PAGE.request(plan(**{"nas-bench-201": images})) is None
    both = plan(**{"nas-bench-201": images, "nas-bench-101": images | {"every_network": PROTOCOL}})
    request = PAGE.request(both)
    assert request.networks == ("nas-bench-101",)
    assert {run.space for run in request.runs} == {"nas-bench-101"}


@pytest.mark.parametrize("wrong", [{"frozen": "kernel_agreemnet"}, {"candidates": ["dormancy"]}])
def test_metrics_that_the_section_does_not_have_are_refused(wrong):
    (name,) = [one if isinstance(one, str) else one[0] for one in wrong.values()]
    message = (
        rf"^config: nas-bench-201.every_network: found '?{name}'?, expected metrics of the section, kernel_agreement, "
    )
    with pytest.raises(InputError, match=message):
        PAGE.request(plan(**{"nas-bench-201": COMMON | METRICS | {"every_network": PROTOCOL | wrong}}))
