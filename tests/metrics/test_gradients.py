"""Metrics of one backward pass of the loss: grad_norm, snip, plain, fisher, l2_norm; and how passes are shared."""

import numpy as np
import pytest
import torch

from epsinas import InputError, NasBench101, NasBench201, NasBenchNLP, TokenBatch, score_architectures
from epsinas.engines.images import full_width
from epsinas.engines.images.inside import layer_outputs, layer_weights
from epsinas.metrics.base import LABELS, METRICS
from tests.metrics.toys import DEAD_END, DISCONNECTED, MIXED, SKIP, TINY, Toy, labels_of, linear, score, subject

OF_THE_LOSS = ("grad_norm", "snip", "plain", "fisher", "grasp")
LABELLED = (*OF_THE_LOSS, "epe_nas", "grad_sign", "zico")
OF_GRADIENTS = (*LABELLED, "jacob_cov", "tenas_ntk", "l2_norm", "synflow")
WITHOUT = ("jacob_cov", "epe_nas", "tenas_ntk")
"""Of the metrics, those that have no value where the images do not reach the outputs."""


def written_out(one):
    """Weights and gradients as torch's own backward pass leaves them on a copy."""
    network = one.copy()
    torch.nn.functional.cross_entropy(network(one.tensor), torch.from_numpy(one.labels)).backward()
    pairs = [(parameter.detach(), parameter.grad) for parameter in network.parameters() if parameter.ndim > 1]
    return [(weight, torch.zeros_like(weight) if gradient is None else gradient) for weight, gradient in pairs]


def test_a_linear_network_by_hand(batch):
    one, weight, means, logits, errors = linear(batch)
    gradient = errors.T @ means / len(batch)
    assert score("grad_norm", one).score == pytest.approx(np.sqrt((gradient**2).sum()), rel=1e-5)
    assert score("snip", one).score == pytest.approx(np.abs(weight * gradient).sum(), rel=1e-5)
    assert score("plain", one).score == pytest.approx((weight * gradient).sum(), rel=1e-4)
    assert score("l2_norm", one).score == pytest.approx(np.sqrt((weight**2).sum()), rel=1e-5)
    # Three weights for each of the three channels, which are the logits.
    saliency = (logits * errors / len(batch)) ** 2
    assert score("fisher", one).score == pytest.approx(3 * saliency.mean(axis=0).sum() / 2, rel=1e-5)


def test_the_channels_of_a_convolution_by_hand(batch):
    """All pixels of a channel have the same gradient, W^T (p - y) / (N H W)."""
    one = subject(Toy(), "two", batch, classes=3)
    first, second = (weight.detach().double().numpy() for weight in layer_weights(one.network))
    features = np.einsum("kc,nchw->nk", first[:, :, 0, 0], batch.astype(float)) / 64
    bias = one.network.layers[1].bias.detach().double().numpy()
    logits = features @ second.T + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    errors = (chances - np.eye(3)[one.labels]) / len(batch)
    channels = ((features * (errors @ second)) ** 2).mean(axis=0) / 2
    classes = ((logits * errors) ** 2).mean(axis=0) / 2
    assert score("fisher", one).score == pytest.approx(3 * channels.sum() + 4 * classes.sum(), rel=1e-5)


@pytest.mark.parametrize("architecture", [SKIP, MIXED, DEAD_END])
def test_against_gradients_written_out(batch, architecture):
    one = subject(TINY, architecture, batch)
    pairs = written_out(one)
    assert score("grad_norm", one).score == pytest.approx(sum(g.norm().item() for _, g in pairs), rel=1e-5)
    assert score("snip", one).score == pytest.approx(sum((w * g).abs().sum().item() for w, g in pairs), rel=1e-5)
    assert score("plain", one).score == pytest.approx(sum((w * g).sum().item() for w, g in pairs), abs=1e-5)
    assert score("l2_norm", one).score == pytest.approx(sum(w.norm().item() for w, _ in pairs), rel=1e-6)


@pytest.mark.parametrize(("space", "projections"), [(TINY, 2), (NasBench101(channels=4, cells=1), 0)])
def test_plain_is_the_layers_that_no_normalisation_follows(batch, monkeypatch, space, projections):
    """Exactly, where next to nothing is added to the variance."""
    monkeypatch.setattr(full_width, "BATCH_NORM_EPSILON", 1e-30)
    architecture = MIXED if projections else space.sample(1, np.random.default_rng(0))[0]
    one = subject(space, architecture, batch)
    network = one.copy().double()
    weights = layer_weights(network)
    logits = layer_outputs(network, one.tensor.double())[-1]
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(one.labels))
    gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
    products = np.array([(w.detach() * g).sum().item() for w, g in zip(weights, gradients, strict=True)])
    free = np.array([(is_free(weight) and projections > 0) or weight.ndim == 2 for weight in weights])
    assert free.sum() == projections + 1
    assert np.abs(products[~free]).max() < 1e-12
    assert np.abs(products[free]).min() > 1e-6
    # With 1e-5 beside the variance, and in single precision, it is so nearly.
    assert score("plain", one).score == pytest.approx(products[free].sum(), abs=1e-4)


def is_free(weight: torch.Tensor) -> bool:
    """Whether a layer is the projection of a shortcut of NAS-Bench-201, or the classifier."""
    return weight.ndim == 2 or (weight.shape[2] == 1 and weight.shape[0] != weight.shape[1])


def test_the_l2_norm_counts_layers(batch):
    """A layer's norm is sqrt(channels out / 3) in the mean, within a few percent at the benchmark's size."""
    one = subject(NasBench201(), MIXED, batch)
    expected = sum((len(weight) / 3) ** 0.5 for weight in layer_weights(one.network))
    assert score("l2_norm", one).score == pytest.approx(expected, rel=0.01)


def test_metrics_share_their_passes(batch, monkeypatch):
    counted = {"forward": 0, "backward": 0}
    run, differentiate = NasBench201.network, torch.autograd.grad

    def counting_run(self, ops, architecture, images):
        counted["forward"] += isinstance(images, torch.Tensor)
        return run(self, ops, architecture, images)

    def counting_differentiate(*arguments, **options):
        counted["backward"] += 1
        return differentiate(*arguments, **options)

    monkeypatch.setattr(NasBench201, "network", counting_run)
    monkeypatch.setattr(torch.autograd, "grad", counting_differentiate)
    one = subject(TINY, MIXED, batch)
    for name in ("grad_norm", "snip", "plain", "fisher", "jacob_cov", "epe_nas", "l2_norm"):
        score(name, one)
    assert counted == {"forward": 1, "backward": 2}
    score("grasp", one)
    # GraSP has a batch normalisation of its own, the tangent kernel a thin network.
    assert counted == {"forward": 2, "backward": 4}
    score("tenas_ntk", one)
    assert counted == {"forward": 3, "backward": 4 + len(batch)}


def test_scores_depend_neither_on_each_other_nor_on_their_order(batch):
    """No metric changes the network, or the gradients that another metric sees."""
    alone = {name: score(name, subject(TINY, MIXED, batch)) for name in OF_GRADIENTS}
    for order in (OF_GRADIENTS, OF_GRADIENTS[::-1]):
        together = subject(TINY, MIXED, batch)
        assert {name: score(name, together) for name in order} == alone
    assert all(parameter.grad is None for parameter in together.network.parameters())
    assert not together.tensor.requires_grad


@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_the_seed_decides(batch, name):
    first, again, other = (score(name, subject(TINY, MIXED, batch, seed=seed)).score for seed in (1, 1, 2))
    assert first == again
    if name != "epe_nas":  # here every class has one image, which correlates with itself
        assert first != other


@pytest.mark.parametrize("name", LABELLED)
def test_labels_are_required(batch, name):
    assert LABELS in METRICS[name].needs
    with pytest.raises(InputError, match=r"^labels: found none, expected one for each image"):
        score_architectures(TINY, [MIXED], batch, metric=name)
    with pytest.raises(InputError, match=r"^labels: found 0 to 10, expected 0 to 9, for 10 classes$"):
        score_architectures(TINY, [MIXED], batch, metric=name, labels=np.arange(len(batch)) * 10 // 7)


@pytest.mark.parametrize("name", sorted({*OF_GRADIENTS, "expected_synflow"} - {*LABELLED}))
def test_others_do_without_labels(batch, name):
    assert np.isfinite(score_architectures(TINY, [MIXED], batch, metric=name)).all()


@pytest.mark.parametrize(
    "name", ["grad_norm", "snip", "plain", "grasp", "grad_sign", "zico", "synflow", "expected_synflow"]
)
def test_networks_that_the_images_do_not_reach_score_0(batch, name):
    found = score(name, subject(TINY, DISCONNECTED, batch))
    assert (found.score, found.reason) == (0.0, "")


@pytest.mark.parametrize("name", WITHOUT)
def test_networks_that_the_images_do_not_reach_have_no_correlations(batch, name):
    found = score(name, subject(TINY, DISCONNECTED, batch))
    assert np.isnan(found.score)
    assert found.reason == "disconnected"


@pytest.mark.parametrize("name", sorted({*OF_GRADIENTS, "expected_synflow"} - {"l2_norm"}))
def test_recurrent_networks_are_refused(name):
    rng = np.random.default_rng(0)
    space, tokens = NasBenchNLP(6, 2, 4), TokenBatch(rng.integers(0, 9, (5, 3)), rng.random((9, 4)))
    (architecture,) = space.sample(1, rng)
    message = f"^metric {name}: found networks of sequences, expected images$"
    with pytest.raises(InputError, match=message):
        score_architectures(space, [architecture], tokens, metric=name, labels=np.arange(5))


@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_networks_of_other_spaces(batch, name):
    space = NasBench101(channels=4, cells=1)
    for architecture in space.sample(3, np.random.default_rng(0)):
        assert score(name, subject(space, architecture, batch)).reason == ""


def test_equal_networks_of_constant_weights_are_scored_each(batch):
    """Random weights tell the two ways to write one graph apart."""
    first = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    second = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"
    scores = score_architectures(TINY, [first, second], batch, metric="snip", labels=labels_of(batch))
    assert scores[0] != scores[1]
