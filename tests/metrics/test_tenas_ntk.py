import math

import numpy as np
import pytest
import torch

from epsinas.metrics.base import METRICS
from epsinas.metrics.tenas_ntk import CHANNELS, IMAGES, condition_number
from epsinas.spaces import NasBench201
from tests.metrics.toys import MIXED, TINY, Toy, score, subject


def test_a_linear_network_by_hand(batch):
    """The sum of an image's logits has the gradient m, its channels' means, for each class: K = 3 M M^T."""
    two = subject(Toy(), "linear", batch[:2], classes=3)
    means = batch[:2].astype(float).mean(axis=(2, 3))
    smallest, largest = np.linalg.eigvalsh(means @ means.T)
    assert condition_number(two.network, two.tensor) == pytest.approx(largest / smallest, rel=1e-4)


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
    expected = torch.linalg.cond(jacobian).item() ** 2
    assert condition_number(one.network, one.tensor) == pytest.approx(expected, rel=1e-3)


def test_no_score_where_rounding_hides_the_smallest_eigenvalue(batch):
    """Eight images have at most three independent gradients in a classifier of three features."""
    one = subject(Toy(), "linear", batch, classes=3)
    assert math.isnan(condition_number(one.network, one.tensor))


def test_the_network_is_thin_and_sees_the_first_images(batch):
    wide, thin = (subject(NasBench201(channels=width, cells=1), MIXED, batch) for width in (5, CHANNELS))
    assert score("tenas_ntk", wide) == score("tenas_ntk", thin)
    many = np.concatenate([batch] * (IMAGES // len(batch)))
    many = many + np.random.default_rng(1).standard_normal(many.shape).astype(np.float32)
    more = subject(TINY, MIXED, np.concatenate([many, batch]))
    assert score("tenas_ntk", more) == score("tenas_ntk", subject(TINY, MIXED, many))


def test_a_lower_one_is_better():
    assert METRICS["tenas_ntk"].sign == -1
