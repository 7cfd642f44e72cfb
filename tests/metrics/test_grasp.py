import numpy as np
import pytest
import torch

from epsinas import NasBench101
from epsinas.engines.images import full_width
from epsinas.engines.images.inside import layer_outputs, layer_weights
from tests.metrics.test_gradients import is_free
from tests.metrics.toys import MIXED, TINY, linear, score, subject


def products(one):
    """For each layer, ||g||^2 and w . (H g), in float64 by torch's own second derivatives."""
    network = one.copy().double()
    weights = layer_weights(network)
    logits = layer_outputs(network, one.tensor.double())[-1]
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(one.labels))
    gradients = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    inner = sum((gradient * gradient.detach()).sum() for gradient in gradients)
    found = torch.autograd.grad(inner, weights, materialize_grads=True)
    norms = np.array([gradient.detach().square().sum().item() for gradient in gradients])
    return norms, np.array([(w.detach() * h).sum().item() for w, h in zip(weights, found, strict=True)]), weights


def test_a_linear_network_by_hand(batch):
    """H g is the derivative of the mean of (p - y) m^T in the direction g: that of p is (diag p - p p^T) g m."""
    one, weight, means, _, errors = linear(batch)
    chances = errors + np.eye(3)[one.labels]
    gradient = errors.T @ means / len(batch)
    along = means @ gradient.T
    change = chances * along - chances * (chances * along).sum(axis=1, keepdims=True)
    assert score("grasp", one).score == pytest.approx(-(weight * (change.T @ means)).sum() / len(batch), rel=1e-4)


def test_the_definition_in_double_precision(batch):
    one = subject(TINY, MIXED, batch)
    _, found, _ = products(one)
    assert score("grasp", one).score == pytest.approx(-found.sum(), rel=1e-3)


def test_by_finite_differences(batch):
    """w . (H g) is the derivative of w . g(w + t d) in t, d being g: here by a central difference."""
    one = subject(TINY, MIXED, batch)
    _, found, weights = products(one)
    network = one.copy().double()

    def gradients():
        loss = torch.nn.functional.cross_entropy(network(one.tensor.double()), torch.from_numpy(one.labels))
        return torch.autograd.grad(loss, layer_weights(network), materialize_grads=True)

    direction, step, ends = gradients(), 1e-5, []
    for sign in (1, -2):
        with torch.no_grad():
            for weight, along in zip(layer_weights(network), direction, strict=True):
                weight += sign * step * along
        ends.append(sum((w.detach() * g).sum().item() for w, g in zip(weights, gradients(), strict=True)))
    assert found.sum() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("space", [TINY, NasBench101(channels=4, cells=1)])
def test_normalised_layers_have_their_squared_gradients(batch, monkeypatch, space):
    """Exactly, where next to nothing is added to the variance; the projections of shortcuts are no such layers."""
    architecture = MIXED if space is TINY else space.sample(1, np.random.default_rng(0))[0]
    one = subject(space, architecture, batch)
    as_it_is, _, _ = products(one)
    monkeypatch.setattr(full_width, "BATCH_NORM_EPSILON", 1e-30)
    norms, found, weights = products(one)
    free = np.array([weight.ndim == 2 or (space is TINY and is_free(weight)) for weight in weights])
    np.testing.assert_allclose(found[~free], -norms[~free], rtol=1e-8, atol=1e-14)
    assert (np.abs(found + norms)[free] > 1e-3 * norms[free]).all()
    # What is added to the variance shows in the digits that a score has.
    assert np.abs(as_it_is / norms - 1).max() > 1e-6
