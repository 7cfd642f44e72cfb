"""The lumped engine against full width: written-out models, random networks, the networks of the search spaces."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from torch import nn

from epsinas.engines.base import engine as space_engine
from epsinas.engines.base import family_of
from epsinas.engines.sequences.batches import TokenBatch
from epsinas.engines.sequences.full_width import FullWidthRecurrentNetwork
from epsinas.engines.sequences.initialisers import constant as constant_recurrent
from epsinas.models import running
from epsinas.models.lumped import Classes, LumpedTensor
from epsinas.models.running import run, state
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP
from tests.models.networks import networks
from tests.models.zoo import MODELS

WEIGHTS = (0.1, 0.8)


def difference(model, batch, weight) -> float:
    """The largest difference between the engines, in units of the largest output at full width if there is one."""
    expected, found = run(model, batch, weight, "full-width"), run(model, batch, weight)
    # Memory that is written through a flattened copy or view, torch alone knows which, is left to the full width.
    assert found.engine == "lumped" or "share memory" in found.notes[0], found.notes
    assert found.values.shape == expected.values.shape
    assert found.values.dtype == expected.values.dtype == torch.float64
    # What a layer norm makes of equal entries is 0, which at full width may be rounding, by the processor.
    largest = expected.values.abs().max().item()
    return (found.values - expected.values).abs().max().item() / (largest if largest > 1e-10 else 1.0)


@pytest.mark.parametrize("name", MODELS)
def test_lumped_equals_full_width_on_models(name):
    model, batch = MODELS[name]()
    for weight in WEIGHTS:
        assert difference(model, batch, weight) < 1e-10


@given(networks())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_lumped_equals_full_width_on_random_networks(network):
    module, batch = network
    assume(any(True for _ in module.parameters()))
    for weight in WEIGHTS:
        # Outputs that are made of rounding, such as a sum of what was normalised, are others in single precision.
        single, double = (
            run(module, batch, weight, "full-width", dtype=dtype).values.double()
            for dtype in (torch.float32, torch.float64)
        )
        assume((single - double).abs().max() <= 1e-4 * double.abs().max())
        assert difference(module, batch, weight) < 1e-10


SPACES = {"201": NasBench201(channels=4, cells=1), "101": NasBench101(channels=8, cells=1)}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_networks_of_the_spaces_equal_their_own_engine(space):
    batch = np.random.default_rng(0).standard_normal((8, 3, 8, 8))
    own = space_engine("lumped", space, batch, "double")
    family = family_of(space)
    for architecture in space.sample(12, np.random.default_rng(1)):
        module = family.module(space, architecture, (3, 8, 8), lambda kind, weight, bias: None).double()
        for weight in WEIGHTS:
            found = run(module, torch.from_numpy(batch), weight)
            expected = own.outputs(architecture, weight)
            assert found.engine == "lumped"
            np.testing.assert_allclose(found.values[:, 0], expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_recurrent_networks_of_the_space_equal_their_own_engine():
    space = NasBenchNLP(embedding=5, hidden_size=7)
    rng = np.random.default_rng(0)
    tokens = TokenBatch(rng.integers(20, size=(6, 4)), rng.standard_normal((20, 5)))
    own = space_engine("lumped", space, tokens, "double")
    batch = torch.from_numpy(tokens.embedding[tokens.tokens])
    for architecture in space.sample(12, np.random.default_rng(1)):
        for weight in WEIGHTS:
            # Hidden states begin at the weight, and biases are set to it too.
            module = FullWidthRecurrentNetwork(space, architecture, constant_recurrent(1.0), weight, torch.float64)
            found = run(module, batch, weight, roles={"*bias": "weight"})
            expected = own.outputs(architecture, weight)
            assert found.engine == "lumped", found.notes
            largest = np.abs(expected).max()
            np.testing.assert_allclose(found.values[:, :, 0], expected, rtol=1e-10, atol=1e-10 * largest)


def test_what_lumping_cannot_follow_runs_at_full_width():
    class Pointer(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            x = self.linear(x)
            assert x.data_ptr()
            return x

    found = run(Pointer(), torch.ones(2, 4), 0.5)
    assert found.engine == "full-width"
    assert found.values.tolist() == [[2.0] * 3] * 2
    assert found.notes[0].startswith("ran at full width, since lumping failed: ")


def test_errors_of_the_model_are_its_own():
    class Fails(nn.Linear):
        def forward(self, x):
            raise KeyError("on demand")

    with pytest.raises(KeyError, match="on demand"):
        run(Fails(4, 3), torch.ones(2, 4), 0.5)


def test_another_dtype():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    found = run(model, torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), 0.5, dtype=torch.float64)
    assert found.values.dtype == torch.float64
    assert model[0].weight.dtype == torch.float32


def test_operations_are_counted():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            return torch.linalg.qr(torch.relu(self.linear(x) + torch.zeros(3))).R

    for name, lumped in (("lumped", 1), ("full-width", 0)):
        found = run(Model(), torch.eye(4), 0.5, name).operations
        assert (found["relu"].lumped, found["relu"].full_width) == (lumped, 1 - lumped)
        assert (found["linalg_qr"].lumped, found["linalg_qr"].full_width) == (0, 1)
        assert found["relu"].seconds > 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0, 2.0], [1.0, 2.0]], "constant"),
        ([[1.0, 2.0], [1.0, 3.0]], "varies"),
        ([[0.0, 0.0], [0.0, 0.0]], "zero"),
        ([[0.0, np.inf], [0.0, 1.0]], "not finite"),
        ([[0.0, np.nan], [0.0, 1.0]], "not finite"),
    ],
)
def test_states(values, expected):
    assert state(torch.tensor(values)) == expected
    assert state(LumpedTensor(torch.tensor(values)[:, :, None], [None, None, Classes(5)])) == expected


def test_states_of_lumped_samples():
    assert state(LumpedTensor(torch.tensor([[1.0, 2.0]]), [Classes(4), None])) == "constant"
    assert state(torch.tensor(1.0)) == "constant"


def test_the_fused_attention_is_as_it_was():
    before = torch.backends.mha.get_fastpath_enabled()
    with running.composed_attention():
        assert not torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.mha.get_fastpath_enabled() == before
