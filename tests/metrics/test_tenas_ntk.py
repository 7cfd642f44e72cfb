import numpy as np
import pytest
import torch

from epsinas.metrics.base import METRICS
from tests.metrics.toys import MIXED, TINY, Toy, score, subject


def test_a_linear_network_by_hand(batch):
    """The sum of an image's logits has the gradient m, its channels' means, for each class: K = 3 M M^T."""
    two = batch[:2]
    means = two.astype(float).mean(axis=(2, 3))
    smallest, largest = np.linalg.eigvalsh(means @ means.T)
    found = score("tenas_ntk", subject(Toy(), "linear", two, classes=3))
    assert found.score == pytest.approx(largest / smallest, rel=1e-4)


def test_against_a_jacobian_of_the_whole_network(batch):
    one = subject(TINY, MIXED, batch)
    network = one.copy().double()
    weights = {name: value.detach() for name, value in network.named_parameters() if name.endswith("weight")}

    def sums(replaced):
        return torch.func.functional_call(network, replaced, (one.tensor.double(),)).sum(dim=1)

    rows = torch.autograd.functional.jacobian(
        lambda *values: sums(dict(zip(weights, values, strict=True))), (*weights.values(),)
    )
    jacobian = torch.cat([row.flatten(1) for row in rows], dim=1)
    assert score("tenas_ntk", one).score == pytest.approx(torch.linalg.cond(jacobian).item() ** 2, rel=1e-3)


def test_no_score_where_rounding_hides_the_smallest_eigenvalue(batch):
    """Eight images have at most three independent gradients in a classifier of three features."""
    found = score("tenas_ntk", subject(Toy(), "linear", batch, classes=3))
    assert np.isnan(found.score)
    assert found.reason == "failed"


def test_a_lower_one_is_better():
    assert METRICS["tenas_ntk"].sign == -1
