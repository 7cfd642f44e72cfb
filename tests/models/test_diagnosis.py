import copy
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import epsinas
from epsinas import epsilon, score, score_architectures
from epsinas.engines.images.full_width import FullWidthNetwork
from epsinas.engines.images.initialisers import constant
from epsinas.errors import InputError
from epsinas.models.diagnosis import diagnose
from epsinas.spaces import NasBench201
from tests.models import faults
from tests.models.faults import by_hand

WEIGHTS = (1e-2, 1.0)
ARCHITECTURES = [
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|nor_conv_1x1~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


IMAGES = noise(16, 3, 8, 8)


class Residual(nn.Module):
    """A small network whose score is neither 0 nor rounding; what is added may be anything."""

    def __init__(self, classes: int = 2, channels: int = 6, layer: nn.Module | None = None):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.layer = layer or nn.Conv2d(channels, channels, 3, padding=1)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x):
        y = self.norm(self.layer(self.stem(x)).relu())
        return self.linear((y + x.mean(1, keepdim=True)).amax((2, 3)))


def expected(model, batch=IMAGES, weights=WEIGHTS, roles=None) -> float:
    """Equations 1 to 4 on filled copies, the outputs that are equal by symmetry once."""
    return epsilon(*(by_hand(model, weight, batch, roles)[:, :1].numpy() for weight in weights))


# What the score is.


class Polynomial(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return (self.weight * x) ** 2 + self.weight * x


@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_score_by_hand(engine):
    # (w x)^2 + w x: for w = 1 that is 0 2 6 12, for w = 1/2 0 3/4 2 15/4.
    low, high = np.array([0.75, 2, 3.75]) / 3.75, np.array([2, 6, 12]) / 12
    found = score(Polynomial(), torch.tensor([[0.0], [1.0], [2.0], [3.0]]), (0.5, 1.0), engine=engine)
    assert found == pytest.approx(np.abs(low - high).mean() / np.concatenate([low, high]).mean(), rel=1e-6)


@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_score_equals_the_algorithm_on_a_copy(engine):
    assert score(Residual(), IMAGES, WEIGHTS, engine=engine) == pytest.approx(expected(Residual()), rel=1e-5)
    wide = Residual().double()
    assert score(wide, IMAGES.double(), WEIGHTS, engine=engine) == pytest.approx(
        expected(wide, IMAGES.double()), rel=1e-11
    )


def test_default_weights():
    assert score(Residual(), IMAGES) == score(Residual(), IMAGES, (1e-3, 1.0))


@pytest.mark.parametrize("zeros", ["masked", "kept"])
def test_score_of_a_network_of_a_space_is_that_of_the_space(zeros):
    space = NasBench201(channels=4, cells=2, classes=7)
    batch = IMAGES.double()
    for engine in ("lumped", "full-width"):
        scores = score_architectures(
            space, ARCHITECTURES, batch.numpy(), WEIGHTS, engine, zeros=zeros, precision="double"
        )
        modules = [FullWidthNetwork(space, one, (3, 8, 8), constant(7.0)).double() for one in ARCHITECTURES]
        found = [score(module, batch, WEIGHTS, zeros, engine=engine) for module in modules]
        np.testing.assert_allclose(found, scores, rtol=0, atol=1e-12)
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_score_does_not_depend_on_the_number_of_classes(engine):
    scores = [score(Residual(classes, 32), IMAGES, WEIGHTS, engine=engine) for classes in (1, 3, 5, 10, 16, 100)]
    # Rounding of the outputs, and no entry masked in another place.
    assert np.ptp(scores) < 1e-5
    assert score(Residual(1, 32), IMAGES, WEIGHTS) == score(Residual(100, 32), IMAGES, WEIGHTS)


def test_tied_parameters_are_filled_once():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 192), nn.Sigmoid(), nn.Linear(192, 192)).double()
    model[3].weight = model[1].weight
    assert score(model, IMAGES.double(), WEIGHTS) == pytest.approx(expected(model, IMAGES.double()), rel=1e-9)


def test_recurrent_module_with_a_tuple_of_outputs():
    model = nn.LSTM(5, 3, num_layers=2).double()
    sequence = noise(7, 4, 5).double()
    outputs = []
    for weight in WEIGHTS:
        filled = copy.deepcopy(model)
        with torch.no_grad():
            for name, parameter in filled.named_parameters():
                parameter.fill_(0.0 if "bias" in name else weight)
            outputs.append(filled(sequence)[0][..., 0].numpy())
    assert score(model, sequence, WEIGHTS) == pytest.approx(epsilon(*outputs), rel=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_half_precision(dtype, engine):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that rounding makes more than 1 %
        found = score(Residual().to(dtype), IMAGES.to(dtype), (0.1, 1.0), engine=engine)
    assert found == pytest.approx(score(Residual(), IMAGES, (0.1, 1.0)), abs=0.05)


# What a model may do, and must not change the score or the model.


def test_a_model_that_writes_into_its_input():
    class Writes(Residual):
        def forward(self, x):
            return super().forward(x.relu_())

    before = IMAGES.clone()
    model, other = Writes(), Residual()
    for engine in ("lumped", "full-width"):
        assert score(model, IMAGES, WEIGHTS, engine=engine) == pytest.approx(expected(other, IMAGES.relu()), rel=1e-5)
    assert IMAGES.equal(before)


def test_a_state_in_an_attribute_does_not_carry_over():
    class Remembers(Residual):
        hidden: torch.Tensor | float = 0.0

        def forward(self, x):
            self.hidden = self.hidden + super().forward(x)
            return self.hidden

    model = Remembers()
    for engine in ("lumped", "full-width"):
        assert score(model, IMAGES, WEIGHTS, engine=engine) == pytest.approx(expected(Residual()), rel=1e-5)
    assert model.hidden == 0.0


@pytest.mark.parametrize("name", faults.REPARAMETRISED)
def test_the_effective_weight_is_the_constant(name):
    plain = nn.Conv2d(6, 6, 3, padding=1)
    changed = faults.REPARAMETRISED[name](copy.deepcopy(plain))
    found = score(Residual(layer=changed), IMAGES, WEIGHTS)
    assert found == pytest.approx(expected(Residual(layer=plain)), rel=1e-5)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_model_batch_and_random_numbers_are_left_as_they_were(fails, engine):
    model = faults.Stateful(fails)
    model.drop.eval()
    batch = noise(6, 4)
    before, given = copy.deepcopy(model.state_dict()), batch.clone()
    modes = [part.training for part in model.modules()]
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    if fails:
        with pytest.raises(RuntimeError, match="on demand"):
            score(model, batch, WEIGHTS, engine=engine)
    else:
        with pytest.warns(UserWarning, match="rounding"):
            score(model, batch, WEIGHTS, engine=engine)
    assert torch.get_rng_state().equal(states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]
    assert batch.equal(given)
    assert [part.training for part in model.modules()] == modes
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert model.hidden.tolist() == [0, 0]
    assert model.calls == [0]
    assert model.last is None


@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_random_numbers_in_forward_are_told_and_repeated(engine):
    class Noisy(Residual):
        def forward(self, x):
            return super().forward(x + 0.1 * torch.randn_like(x))

    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with pytest.warns(UserWarning, match="^the model draws random numbers: the score is that of one draw, "):
            found.append(score(Noisy(), IMAGES, WEIGHTS, engine=engine))
    assert found[0] == found[1]


def test_batches_of_several_arguments_and_outputs_by_name():
    class Several(Residual):
        def forward(self, x, factor, *, shift):
            return {"loss": None, "logits": super().forward(factor * x + shift)}

    wanted = expected(Residual(), 2 * IMAGES + 1)
    both = {"x": IMAGES.numpy(), "factor": torch.tensor(2.0), "shift": np.float32(1)}
    assert score(Several(), both, WEIGHTS) == pytest.approx(wanted, rel=1e-5)

    class Positional(Residual):
        def forward(self, x, factor):
            return [super().forward(factor * x + 1), None]

    for batch in ((IMAGES, torch.tensor(2.0)), [IMAGES.numpy(), np.float32(2)]):
        assert score(Positional(), batch, WEIGHTS) == pytest.approx(wanted, rel=1e-5)


def test_roles_overrule_names():
    roles = {"norm.bias": "weight", "linear.*": "keep"}
    model = Residual(classes=1)
    kept, zero = ("linear.weight", "linear.bias"), ("stem.bias", "layer.bias")
    names = {"norm.bias": "weight"} | dict.fromkeys(kept, "kept") | dict.fromkeys(zero, "zero")
    wanted = expected(model, roles=names)
    assert score(model, IMAGES, WEIGHTS, roles=roles) == pytest.approx(wanted, rel=1e-3)
    assert diagnose(model, IMAGES, WEIGHTS, roles=roles).roles["linear.bias"] == "kept"


# Warnings and errors.


@pytest.mark.filterwarnings("ignore:norm. frozen batch normalisation")  # its parts are buffers
@pytest.mark.filterwarnings("ignore:.*treespec.*:FutureWarning")  # torch's own
def test_running_averages_are_told():
    model = Residual().eval()
    exported = torch.export.export(model, (IMAGES,)).module()
    with pytest.warns(UserWarning, match="^batch normalisation by running averages, as in an exported model"):
        found = score(exported, IMAGES, WEIGHTS)
    assert found != pytest.approx(score(model, IMAGES, WEIGHTS), rel=0.01)


def test_normalisation_uses_the_batch_whatever_the_running_averages():
    model = Residual().eval()
    before = score(model, IMAGES, WEIGHTS)
    model.norm.running_mean.fill_(5.0)
    model.norm.running_var.fill_(100.0)
    assert score(model, IMAGES, WEIGHTS) == before


@pytest.mark.parametrize("engine", ["lumped", "full-width"])
def test_a_chain_is_all_rounding(engine):
    # relu(w x) has the same shape for every w.
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    message = r"^score: .* is made of rounding: the outputs have the same shape under both weights$"
    with pytest.warns(UserWarning, match=message):
        assert score(model, noise(16, 4), WEIGHTS, engine=engine) == pytest.approx(0, abs=1e-5)


def test_much_rounding_is_told():
    model = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 1))
    with pytest.warns(UserWarning, match=r"^score: rounding makes about \d+(\.\d+)? % of 0\.\d+$"):
        score(model, noise(16, 4), (1e-5, 1.0))


REASONS = {
    "layer normalisation": (
        nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8)),
        noise(6, 4),
        WEIGHTS,
        "under 0.01 the outputs are 0 for all samples from layer 1 (LayerNorm) on; layer normalisation over equal "
        "channels gives exactly 0",
    ),
    "softmax": (
        nn.Sequential(nn.Linear(4, 8), nn.Softmax(-1)),
        noise(6, 4),
        WEIGHTS,
        "under 0.01 the outputs are equal for all samples from layer 1 (Softmax) on; the softmax of equal logits is "
        "the same for all samples",
    ),
    "embedding": (
        nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 1)),
        torch.arange(6),
        WEIGHTS,
        "under 0.01 the outputs are equal for all samples from layer 0 (Embedding) on; all embeddings are equal under "
        "constant weights, so that tokens are not told apart",
    ),
    "one sample": (
        nn.Linear(4, 2),
        noise(1, 4),
        WEIGHTS,
        "under 0.01 the outputs are equal; the batch has one sample, expected two or more",
    ),
    "equal samples": (nn.Linear(4, 2), torch.ones(6, 4), WEIGHTS, "under 0.01 the outputs are equal for all samples"),
    "underflow": (
        nn.Sequential(*[nn.Linear(4, 4) for _ in range(9)]),
        noise(6, 4),
        (1e-6, 1.0),
        "under 1e-06 the outputs fade to 0 from layer 8 (Linear) on; in float64 they vary",
    ),
    "overflow": (
        nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)),
        noise(6, 4),
        (1.0, 1e30),
        "under 1e+30 the outputs leave the range of the numbers from layer 1 (Linear) on",
    ),
    "a difference below a rounding": (
        nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()),
        noise(6, 4),
        (1e-9, 1.0),
        "under 1e-09 the outputs differ by less than a rounding from layer 1 (Sigmoid) on; in float64 they vary",
    ),
}


@pytest.mark.parametrize(("model", "batch", "weights", "reason"), REASONS.values(), ids=REASONS)
def test_reasons(model, batch, weights, reason):
    found = diagnose(model, batch, weights)
    assert np.isnan(found.score)
    assert np.isnan(found.error)
    assert found.reason == reason
    assert str(found).startswith(f"no score: {reason} (weights {weights[0]:g} and {weights[1]:g}, lumped, ")
    with pytest.warns(UserWarning, match="^no score: ") as caught:
        assert np.isnan(score(model, batch, weights))
    assert [str(one.message) for one in caught] == [f"no score: {reason}"]


def test_no_entry_is_left():
    # Two samples: 0 and 1 under both weights, the other way round.
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x * (self.weight - 0.5)

    found = diagnose(Turned(), torch.tensor([[0.0], [1.0]]), WEIGHTS)
    assert found.reason == "after normalisation no entry is above 0 under both weights"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_batch_that_is_not_finite_is_refused(value):
    batch = IMAGES.clone()
    batch[2, 1, 0, 0] = value
    with pytest.raises(InputError, match=r"^batch: has entries that are not finite \(NaN or infinite\)$"):
        score(Residual(), batch, WEIGHTS)


@pytest.mark.parametrize(("outputs", "found"), [({"logits": 1}, "dict"), (None, "NoneType"), (([1.0],), "tuple")])
def test_outputs_that_are_no_tensor_are_refused(outputs, found):
    class Model(Residual):
        def forward(self, x):
            return outputs

    with pytest.raises(InputError, match=f"^model: found outputs of type {found}, expected a tensor$"):
        score(Model(), IMAGES, WEIGHTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "fast"}, "engine: found 'fast', expected one of lumped, full-width"),
        ({"zeros": "gone"}, "zeros: found 'gone', expected one of masked, kept"),
        ({"weights": (1.0, 0.5)}, "weights: found 1.0 0.5, the larger one first; expected LOW < HIGH"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    for function in (score, diagnose):
        with pytest.raises(InputError) as caught:
            function(Residual(), IMAGES, **changes)
        assert str(caught.value) == message


def test_nothing_to_set_is_refused():
    with pytest.raises(InputError, match=r"^model: "):
        score(nn.Sequential(nn.Flatten(), nn.ReLU()), IMAGES, WEIGHTS)


# The diagnosis.


def test_a_diagnosis_tells_all():
    model = Residual()
    found = diagnose(model, IMAGES, WEIGHTS)
    assert found.score == score(model, IMAGES, WEIGHTS)
    assert found.reason == found.layer == ""
    assert 0 < found.error < 0.01
    assert found.engine == "lumped"
    assert found.roles["stem.weight"] == "weight"
    assert found.roles["stem.bias"] == "zero"
    assert [(one.layer, one.kind, one.state) for one in found.signals[0.01]] == [
        ("stem", "Conv2d", "varies"),
        ("layer", "Conv2d", "varies"),
        ("norm", "BatchNorm2d", "varies"),
        ("linear", "Linear", "varies"),
    ]
    assert found.operations["conv2d"].lumped == 4
    assert found.operations["conv2d"].full_width == 0
    assert diagnose(model, IMAGES, WEIGHTS, engine="full-width").operations["convolution"].full_width == 4
    report = str(found).splitlines()
    assert report[0].startswith(f"score {found.score:.6g} (weights 0.01 and 1, lumped, ")
    assert report[1].startswith("rounding makes about ")
    assert "4 parameters set to the weight: stem.weight, norm.weight, layer.weight, linear.weight" in report
    assert "signal under 0.01: stem (Conv2d) varies" in report
    assert report[-len(found.operations) - 1].split() == ["operation", "lumped", "full", "width", "ms"]


def test_the_error_bounds_what_float64_tells():
    for weights in ((1e-4, 1.0), (1e-2, 1.0), (0.1, 0.5)):
        found = diagnose(Residual(channels=32), IMAGES, weights)
        exact = score(Residual(channels=32).double(), IMAGES.double(), weights)
        assert abs(found.score - exact) <= found.error * exact


def test_what_the_package_offers_is_there():
    assert epsinas.score is score
    assert epsinas.diagnose is diagnose
