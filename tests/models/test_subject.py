"""Metrics other than epsilon on torch models."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from epsinas import InputError, NasBench101, NasBench201, score
from epsinas.engines.images.inside import layer_weights
from epsinas.metrics.base import LABELS, METRICS
from epsinas.metrics.naswot import code_volume
from epsinas.metrics.subject import Conditions, Subject
from epsinas.models.constants import present_copy
from epsinas.streams import torch_stream

OFFERED = [metric.name for metric in METRICS if metric.any_model and metric.name != "epsilon"]
OTHERS = [metric.name for metric in METRICS if not metric.any_model]
CELL = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_3x3~0|nor_conv_1x1~1|skip_connect~2|"
LABELS_OF_8 = np.arange(8) % 3


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


IMAGES = noise(8, 3, 8, 8)


class Usual(nn.Module):
    """What people's models have: normalisation, rectifiers and sums in place, dropout, an output by name."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.conv, self.dropout, self.head = nn.Conv2d(6, 6, 3, padding=1), nn.Dropout(), nn.Linear(6, 3)

    def forward(self, x):
        y = self.conv(self.stem(x))
        y += x.mean(1, keepdim=True)
        return {"loss": y.sum(), "logits": self.head(self.dropout(functional.relu(y).mean((2, 3))))}


def usual() -> nn.Module:
    torch.manual_seed(0)
    return Usual()


class Mean(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        return x.mean(self.dim)


class Minus(nn.Module):
    def forward(self, x):
        return -x


def test_there_are_many():
    assert {"synflow", "expected_synflow", "grad_norm", "fisher", "grasp", "naswot", "zico"} < set(OFFERED)
    assert {"skips", "cv", "tenas_regions", "hidden_covariance"} < set(OTHERS)


@pytest.mark.parametrize(
    ("space", "architecture"),
    [
        (NasBench201(channels=4, cells=1), CELL),
        (NasBench101(channels=8, cells=1), NasBench101().sample(1, np.random.default_rng(1))[0]),
    ],
    ids=["201", "101"],
)
@pytest.mark.parametrize("name", OFFERED)
def test_a_network_of_a_space_has_the_score_of_the_space(name, space, architecture, monkeypatch):
    monkeypatch.setattr(Subject, "generator", lambda self, purpose="random weights": torch_stream(0, purpose))
    labels = np.arange(len(IMAGES))
    one = Subject(Conditions(space, IMAGES.numpy(), labels=labels), architecture)
    expected = METRICS[name].score(one, "").score
    # In single precision second derivatives are computed in other ways, and so are gradients of images by themselves,
    # of which signs count: on maps of 2 x 2 many gradients are 0 but for rounding.
    tolerance = {"grasp": 2e-4, "grad_sign": 1e-2}.get(name, 1e-6)
    assert score(one.network, IMAGES, metric=name, labels=labels) == pytest.approx(expected, rel=tolerance)


def linear() -> tuple[nn.Module, torch.Tensor, np.ndarray, torch.Tensor]:
    """A linear model, a batch, labels, and the gradient of its weights by hand."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3).double())
    batch, labels = noise(8, 2, 2).double(), torch.from_numpy(LABELS_OF_8)
    with torch.no_grad():
        errors = model(batch).softmax(1) - functional.one_hot(labels, 3)
    return model, batch, LABELS_OF_8, errors.T @ batch.flatten(1) / 8


def test_a_linear_model_by_hand():
    model, batch, labels, gradient = linear()
    weight = model[1].weight.detach()

    def of(name):
        return score(model, batch, metric=name, labels=labels)

    assert of("grad_norm") == pytest.approx(gradient.norm().item())
    assert of("snip") == pytest.approx((weight * gradient).abs().sum().item())
    assert of("plain") == pytest.approx((weight * gradient).sum().item())
    assert of("l2_norm") == pytest.approx(weight.norm().item())
    # R is the sum of absolute weights, and linear in them.
    assert of("synflow") == pytest.approx(torch.log1p(weight.abs().sum()).item())
    assert of("expected_synflow") == pytest.approx(np.log1p(12 / (2 * np.sqrt(4))))
    assert (of("parameters"), of("layers"), of("flops")) == (15, 1, 24)
    with torch.no_grad():
        products = model(batch) * (model(batch).softmax(1) - functional.one_hot(torch.from_numpy(labels), 3)) / 8
    assert of("fisher") == pytest.approx(4 * products.square().mean(0).sum().item() / 2)


def test_channels_of_linear_layers_come_last():
    """Tokens are summed up as pixels are; a channel of a transposed convolution has its weights, too."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.ConvTranspose1d(6, 2, 3), nn.Flatten(), nn.Linear(12, 3)).double()
    batch = noise(8, 6, 5).double()
    first = model[0](batch)
    second = model[1](first)
    last = model[3](second.flatten(1))
    loss = functional.cross_entropy(last, torch.from_numpy(LABELS_OF_8))
    gradients = torch.autograd.grad(loss, (first, second, last))
    sums = [(first * gradients[0]).sum(1), (second * gradients[1]).sum(2), last * gradients[2]]
    expected = sum(
        count * one.square().mean(0).sum().item() / 2 for count, one in zip((5, 6 * 3, 12), sums, strict=True)
    )
    assert score(model, batch, metric="fisher", labels=LABELS_OF_8) == pytest.approx(expected)


def test_directions_of_linear_layers_are_those_of_convolutions_of_one_pixel():
    """The same function of the same weights, with the channels last or second."""
    torch.manual_seed(0)
    first, second = nn.Linear(7, 12), nn.Linear(12, 3)
    convolution = nn.Conv1d(7, 12, 1)
    with torch.no_grad():
        convolution.weight.copy_(first.weight[:, :, None])
        convolution.bias.copy_(first.bias)
    tokens = noise(8, 5, 7)
    last = nn.Sequential(first, nn.ReLU(), Mean(1), second)
    middle = nn.Sequential(convolution, nn.ReLU(), Mean(2), second)
    expected = score(middle, tokens.transpose(1, 2).contiguous(), metric="near")
    assert score(last, tokens, metric="near") == pytest.approx(expected, rel=1e-4)


def test_flows_have_no_sign():
    """Of a model that subtracts SynFlow is what it is of one that adds; it has no mean over initialisations here."""
    torch.manual_seed(0)
    minus = nn.Sequential(nn.Flatten(), nn.Linear(192, 3), Minus())
    assert score(minus, IMAGES, metric="synflow") == score(minus[:2], IMAGES, metric="synflow") > 0
    with pytest.raises(
        InputError, match=r"^metric expected_synflow: found a negative flow, expected outputs that grow"
    ):
        score(minus, IMAGES, metric="expected_synflow")


@pytest.mark.parametrize(
    "rectify",
    [functional.relu, torch.relu, torch.relu_, torch.Tensor.relu, functional.relu6, nn.ReLU(inplace=True), nn.ReLU6()],
)
def test_rectifiers_of_all_kinds(rectify):
    class Rectified(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.rectify = nn.Linear(4, 9), rectify

        def forward(self, x):
            return self.rectify(self.layer(x))

    model, batch = Rectified(), noise(3, 4)
    expected = code_volume([model.layer(batch) > 0])
    assert score(model, batch, metric="naswot") == pytest.approx(expected)


def test_normalisation_is_bypassed():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    norms = (nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm(6), nn.LocalResponseNorm(2))
    for norm in norms:
        model = nn.Sequential(plain[0], norm, *plain[1:])
        for name in ("synflow", "expected_synflow"):
            assert score(model, IMAGES, metric=name) == score(plain, IMAGES, metric=name)


@pytest.mark.parametrize("name", OFFERED)
def test_the_model_is_left_as_it_was(name):
    model = usual().requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    before, images, state = copy.deepcopy(model), IMAGES.clone(), torch.get_rng_state()
    with torch.no_grad():
        found = score(model, IMAGES, metric=name, labels=LABELS_OF_8)
    assert np.isfinite(found)
    assert all(map(torch.equal, model.state_dict().values(), before.state_dict().values()))
    assert model.head.weight.grad.eq(1).all()
    assert all(part.training for part in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.conv.weight.grad is None
    assert torch.equal(IMAGES, images)
    assert torch.equal(state, torch.get_rng_state())
    # It is the same again, in evaluation mode, and under inference mode.
    with torch.inference_mode():
        assert score(model.eval(), IMAGES, metric=name, labels=LABELS_OF_8) == found


def test_a_batch_by_name_or_as_an_array():
    found = [score(usual(), batch, metric="naswot") for batch in (IMAGES, IMAGES.numpy(), (IMAGES,), {"x": IMAGES})]
    assert len(set(found)) == 1


def test_labels_as_a_tensor_or_a_list():
    labels = (LABELS_OF_8, torch.from_numpy(LABELS_OF_8), LABELS_OF_8.tolist())
    assert len({score(usual(), IMAGES, metric="snip", labels=one) for one in labels}) == 1


def test_tokens():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 3))
    tokens = torch.arange(24).reshape(8, 3) % 9
    assert score(model, tokens, metric="grad_norm", labels=LABELS_OF_8) > 0
    for name in ("jacob_cov", "synflow", "expected_synflow"):
        with pytest.raises(InputError, match=r"^batch: found torch.int64, .*expected floating point"):
            score(model, tokens, metric=name)


def test_weights_that_are_computed():
    """Pruned and normalised weights are what they are when the model runs."""
    model = nn.Sequential(nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(192, 3)))
    plain = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with torch.no_grad():
        plain[1].weight.copy_(model[1].weight)
        plain[1].bias.copy_(model[1].bias)
    for name in ("l2_norm", "grad_norm", "synflow"):
        found = [score(one, IMAGES, metric=name, labels=LABELS_OF_8) for one in (model, plain)]
        assert found[0] == pytest.approx(found[1])


def test_attention_has_second_derivatives():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(24, 3))
    batch = noise(8, 3, 8)
    assert np.isfinite([score(model, batch, metric=name, labels=LABELS_OF_8) for name in OFFERED]).all()


def number_of_batch_norms(network, batch):
    network.stem[0].weight.data.zero_()  # it is its own
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules()) + len(batch)


def test_a_metric_of_ones_own():
    model = usual()
    assert score(model, IMAGES, metric="tests.models.test_subject:number_of_batch_norms") == 9
    assert model.stem[0].weight.any()


def test_present_weights_are_copied():
    model = usual()
    module, notes = present_copy(model)
    assert notes == ()
    for one, other in zip(model.parameters(), module.parameters(), strict=True):
        assert one.equal(other)
        assert one.data_ptr() != other.data_ptr()


# Errors.


@pytest.mark.parametrize("name", OTHERS)
def test_metrics_of_benchmarks_are_refused(name):
    with pytest.raises(InputError, match=f"^metric {name}: found a torch model, expected a search space; for models: "):
        score(usual(), IMAGES, metric=name, labels=LABELS_OF_8)


@pytest.mark.parametrize("name", [name for name in OFFERED if LABELS in METRICS[name].needs])
def test_labels_are_required(name):
    message = f"^labels: found none, expected one for each image; the metric {name} needs them$"
    with pytest.raises(InputError, match=message):
        score(usual(), IMAGES, metric=name)
    with pytest.raises(InputError, match=r"^labels: found 0 to 3, expected 0 to 2, for 3 classes$"):
        score(usual(), IMAGES, metric=name, labels=np.arange(8) % 4)


@pytest.mark.parametrize(
    ("model", "batch", "options", "message"),
    [
        (usual(), IMAGES, {"metric": "snap"}, "^unknown metric 'snap': expected one of "),
        (usual(), IMAGES, {"metric": "snip", "labels": [0, 1]}, r"^labels: found int64 of shape \(2,\), expected "),
        (usual(), (IMAGES, IMAGES), {"metric": "naswot"}, "^batch: found Tensor, Tensor, expected one tensor, "),
        (usual(), IMAGES, {"metric": "naswot", "weights": (1.0, 2.0)}, "^weights: found some, expected none for the "),
        (
            usual(),
            IMAGES,
            {"metric": "naswot", "roles": {}},
            "^roles: found some, expected none for the metric naswot$",
        ),
        (usual(), IMAGES, {"metric": "expected_synflow", "engine": "fast"}, "^engine: found 'fast', expected one of "),
        (nn.Linear(8, 8), IMAGES, {"metric": "naswot"}, "^metric naswot: found no ReLU in the network, expected one"),
        (nn.ReLU(), IMAGES, {"metric": "synflow"}, "^model: found no parameter of two or more dimensions, expected "),
        (
            nn.Linear(8, 8),
            IMAGES,
            {"metric": "snip", "labels": LABELS_OF_8},
            r"^outputs: found shape \(8, 3, 8, 8\), expected one logit for each image and class$",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(192, 1), nn.Flatten(0)),
            IMAGES,
            {"metric": "epe_nas", "labels": LABELS_OF_8},
            r"^outputs: found shape \(8,\), expected one logit for each image and class$",
        ),
        (
            nn.Sequential(nn.Flatten(0, 1), nn.ReLU(), nn.Unflatten(0, (8, 3)), nn.Flatten(), nn.Linear(192, 3)),
            IMAGES,
            {"metric": "naswot"},
            r"^metric naswot: found a ReLU of 24 rows, expected one for each of 8 images$",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)),
            IMAGES,
            {"metric": "grad_sign", "labels": LABELS_OF_8},
            "^metric grad_sign failed: ValueError: Expected more than 1 value per channel when training, ",
        ),
    ],
)
def test_one_line_says_what_is_wrong(model, batch, options, message):
    with pytest.raises(InputError, match=message) as caught:
        score(model, batch, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", OFFERED)
def test_scripts_are_refused(name):
    model = nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(192, 3)))
    message = r"^model: found a script \(1\), whose layers cannot be seen, expected ordinary modules$"
    with pytest.raises(InputError, match=message):
        score(model, IMAGES, metric=name, labels=LABELS_OF_8)


def test_why_there_is_no_score():
    class Constant(nn.Linear):
        def forward(self, x):
            return super().forward(x).relu() * 0

    with pytest.warns(UserWarning, match="^no score: it is not a number$"):
        assert np.isnan(score(Constant(4, 2), noise(3, 4), metric="jacob_cov"))
    twice = noise(1, 4).expand(3, 4)
    with pytest.warns(UserWarning, match="^no score: what it measures does not vary over the batch$"):
        assert np.isnan(score(nn.Sequential(nn.Linear(4, 9), nn.ReLU()), twice, metric="naswot"))


def test_what_may_make_a_score_another_than_expected_is_said():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.register_buffer("running_mean", torch.zeros(2))
            self.register_buffer("running_var", torch.ones(2))

        def forward(self, x):
            return (self.layer(x) - self.running_mean) / self.running_var

    with pytest.warns(UserWarning, match="frozen batch normalisation"):
        score(Frozen(), noise(2, 3), metric="l2_norm")


def test_layer_weights_are_those_of_two_dimensions():
    assert [tuple(one.shape) for one in layer_weights(usual())] == [(6, 3, 3, 3), (6, 6, 3, 3), (3, 6)]
