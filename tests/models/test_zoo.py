"""The zoo and the random networks themselves: that they run, quickly, the same each time, and on finite numbers."""

import copy
from itertools import product
from time import process_time

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from tests.models.networks import LEAVES, Convolution, Shape, Step, choices, example, networks
from tests.models.parts import Batch, normal
from tests.models.zoo import FAMILIES, MODELS, call, fill, logits, rounding

SILENT = {
    # A normalisation over equal channels, or the sign of equal products, just before the head.
    *("convnext", "vision_transformer", "swin_transformer", "mlp_mixer", "pointnet", "bilinear_pooling"),
    # Equal weights embed every token alike.
    *("transformer_of_tokens", "transformer_of_tokens_norm_first", "causal_language_model", "lstm_of_tokens"),
    *("text_convolutions", "embedding_bag"),
    # Its activations are cut off at six, and all of them are above it.
    "mobilenet_v2",
}
"""Models that give every example the same output when all weights are one half, in evaluation mode."""


def first(batch: Batch) -> Tensor:
    if isinstance(batch, Tensor):
        return batch
    return next(iter(batch.values())) if isinstance(batch, dict) else batch[0]


def equal_weights(name: str, weight: float = 0.5) -> tuple[nn.Module, Batch]:
    module, batch = MODELS[name]()
    return fill(module, weight).eval(), batch


def test_there_are_many_models_in_every_family():
    assert len(MODELS) >= 100
    modules = {build.__module__ for build in MODELS.values()}
    assert modules == {family.__name__ for family in FAMILIES}


@pytest.mark.parametrize("name", MODELS)
def test_gives_finite_numbers_for_each_example(name):
    module, batch = equal_weights(name)
    assert all(parameter.dtype == torch.float64 for parameter in module.parameters())
    with torch.no_grad():
        start = process_time()
        outputs = logits(call(module, batch))
        assert process_time() - start < 1
        again = logits(call(module, batch))
    assert outputs.dtype == torch.float64
    assert len(outputs) == len(first(batch))
    assert torch.isfinite(outputs).all()
    torch.testing.assert_close(again, outputs, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_runs_in_training_mode_and_has_gradients(name):
    module, batch = equal_weights(name)
    outputs = logits(call(module.train(), batch))
    assert torch.isfinite(outputs).all()
    outputs.sum().backward()


@pytest.mark.parametrize("name", MODELS)
def test_leaves_its_batch_as_it_was(name):
    module, batch = equal_weights(name)
    before = copy.deepcopy(batch)
    with torch.no_grad():
        call(module, batch)
    torch.testing.assert_close(batch, before, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_examples_differ_unless_the_family_makes_them_equal(name):
    module, batch = equal_weights(name)
    with torch.no_grad():
        outputs = logits(call(module, batch))
    spread = (outputs - outputs[:1]).abs().max()
    assert (spread <= 1e-12 * outputs.abs().max()) == (name in SILENT)


@pytest.mark.parametrize("name", MODELS)
def test_rounding_hardly_moves_the_outputs(name):
    """Otherwise no second way of computing them could be held against the model to ten digits."""
    module, batch = equal_weights(name)
    with torch.no_grad():
        all_zero = not logits(call(module, batch)).any()
    assert name in SILENT if all_zero else rounding(module, batch) < 1e-11


def test_biases_are_zero_and_everything_else_is_the_weight():
    module = fill(nn.Sequential(nn.LSTM(2, 3), nn.MultiheadAttention(4, 2), nn.BatchNorm2d(3)), 0.25)
    values = {name: set(parameter.flatten().tolist()) for name, parameter in module.named_parameters()}
    assert values["0.weight_ih_l0"] == values["1.in_proj_weight"] == values["2.weight"] == {0.25}
    assert values["0.bias_hh_l0"] == values["1.in_proj_bias"] == values["1.out_proj.bias"] == values["2.bias"] == {0}


# Random networks.


@settings(deadline=None, max_examples=60)
@given(networks())
def test_random_networks_run(drawn):
    module, batch = drawn
    for mode in (True, False):
        with torch.no_grad():
            outputs = fill(module, 0.5).train(mode)(batch)
        again = module(batch)  # what is written in place agrees with gradients
        assert outputs.dtype == torch.float64
        assert len(outputs) == len(batch)
        assert not outputs.isnan().any()
        torch.testing.assert_close(again, outputs, rtol=0, atol=0)


@settings(deadline=None, max_examples=20)
@given(networks(most_steps=4))
def test_what_is_printed_builds_the_same_network(drawn):
    names = {kind.__name__: kind for kind in all_kinds(Step)} | {"Shape": Shape, "example": example}
    module, batch = eval(repr(drawn), names)
    torch.testing.assert_close(batch, drawn.batch, rtol=0, atol=0)
    with torch.no_grad():
        expected, outputs = (fill(network, 0.5).eval()(batch) for network in (drawn.module, module))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=0, equal_nan=True)


def all_kinds(kind: type) -> list[type]:
    return [found for child in kind.__subclasses__() for found in (child, *all_kinds(child))]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
@pytest.mark.parametrize("shape", [Shape(1, 1, 1), Shape(4, 5, 3), Shape(6, 8, 8), Shape(24, 12, 12)], ids=str)
def test_every_choice_of_a_step_suits_every_shape(leaf, shape):
    values = choices(leaf)
    # The many choices of a convolution take long: a part of them, in which every value occurs.
    for chosen in list(product(*values.values()))[:: 7 if leaf is Convolution else 1]:
        step = leaf(**dict(zip(values, chosen, strict=True)))
        network, batch = example(2, shape, (step,), "none")
        with torch.no_grad():
            outputs = fill(network, 0.5).train()(batch)
        assert tuple(outputs.shape[1:]) == network.steps.outputs, step
        assert torch.isfinite(outputs).all(), step


def test_steps_change_what_they_should():
    shape = Shape(4, 6, 6)
    network, _ = example(2, shape, (Convolution(3, 3, 2, 1, "two", "zeros", False),), "averages")
    assert network.steps.outputs == Shape(4, 3, 3)  # three channels are rounded up to two groups of two
    assert network(normal(2, 4, 6, 6)).shape == (2, 3)
