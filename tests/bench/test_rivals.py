import numpy as np
import pandas as pd
import pytest

from epsinas.bench.rivals import rivals
from epsinas.sources import packaged


@pytest.fixture(scope="module")
def of_cifar10():
    networks = packaged.networks("nas-bench-201")
    return networks.set_index("index"), {one.name: one for one in rivals("nas-bench-201", "cifar10", networks)}


def test_everybodys_scores(of_cifar10):
    networks, found = of_cifar10
    # Counted; computed here; by NAS-Bench-Suite-Zero and others.
    assert {"parameters", "flops", "convolutions"} <= set(found)
    assert {"epsilon (single)", "epsilon (extended)", "expected_synflow", "meco", "zico"} <= set(found)
    assert {"jacob_cov", "naswot", "synflow", "l2_norm"} <= set(found)
    for one in found.values():
        assert one.scores.index.tolist() == networks.index.tolist()
        assert not np.isinf(one.scores).any()
    assert found["parameters"].source == "counted"
    assert found["epsilon (extended)"].title == "epsilon (extended)"


def test_of_a_metric_that_several_have_the_fullest_scores_are_taken(of_cifar10):
    _, found = of_cifar10
    # Of all networks, 201 of them infinite, where NAS-Bench-Suite-Zero has 9,445, and the package 15,284.
    assert found["naswot"].scores.count() == 15_424
    assert found["naswot"].source.startswith("J. Mellor")
    assert found["jacob_cov"].scores.count() == 15_284
    assert found["jacob_cov"].source == "epsinas"
    assert found["parameters"].scores.count() == 15_625


def test_scores_that_have_a_say_come_before_more_scores_that_have_none(monkeypatch):
    """Of 60 networks in 6 classes, ours are of two large classes, the published ones of all."""
    networks = packaged.networks("nas-bench-201").head(60).assign(trained_as=[0] * 28 + [28] * 28 + [56, 57, 58, 59])
    ours = pd.DataFrame({"index": [0, 28], "dataset": "cifar10", "metric": "meco", "setting": "", "score": [1.0, 2.0]})
    index = [0, 1, 28, 29, 56, 57, 58, 59]
    theirs = pd.DataFrame({"index": index, "dataset": "cifar10", "metric": "meco", "source": "others", "score": 1.0})
    monkeypatch.setattr(packaged, "computed_scores", lambda benchmark: ours)
    monkeypatch.setattr(packaged, "published_scores", lambda benchmark: theirs)

    def source() -> str:
        return {one.name: one.source for one in rivals("nas-bench-201", "cifar10", networks)}["meco"]

    assert source() == "others"
    ours = pd.concat([ours, ours.assign(index=[56, 57])])
    assert source() == "epsinas"


def test_networks_that_train_alike_have_one_score(of_cifar10):
    networks, found = of_cifar10
    stands = networks["trained_as"].to_numpy()
    for name in ("epsilon (single)", "meco"):
        scores = found[name].scores
        pd.testing.assert_series_equal(scores, scores.loc[stands].set_axis(scores.index))
    own = packaged.constant_weight_scores("nas-bench-201").query("dataset == 'cifar10' and precision == 'single'")
    row = own[own["metric"] == "epsilon"].iloc[-1]
    assert (found["epsilon (single)"].scores[networks["trained_as"] == row["index"]] == row["score"]).all()


def test_scores_are_turned_so_that_higher_ones_are_to_be_better(of_cifar10):
    """The kernel's condition number is to be small."""
    _, found = of_cifar10
    computed = packaged.computed_scores("nas-bench-201").query("metric == 'tenas_ntk'").set_index("index")["score"]
    assert (found["tenas_ntk"].scores[computed.index] == -computed).all()


@pytest.mark.parametrize(
    ("benchmark", "dataset", "names"),
    [
        ("nas-bench-201", "cifar100", {"naswot", "parameters", "epsilon (extended)"}),
        ("nas-bench-201", "ImageNet16-120", {"synflow", "expected_synflow", "flops"}),
        ("nas-bench-101", "cifar10", {"parameters", "epsilon (extended)", "expected_synflow", "grad_sign"}),
        ("nas-bench-nlp", "ptb", {"parameters", "epsilon (single)", "jacobian_cosine", "hidden_covariance (2)"}),
        ("nas-bench-nlp", "wikitext-2", {"parameters", "flops", "epsilon (extended)"}),
    ],
)
def test_other_benchmarks(benchmark, dataset, names):
    found = rivals(benchmark, dataset, packaged.networks(benchmark))
    assert names <= {one.name for one in found}
    assert len({one.title for one in found}) == len(found)
