import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from epsinas.models.constants import constant_copy, filled
from tests.models.faults import (
    BIASES,
    REPARAMETRISED,
    SAMPLES,
    Lists,
    NamedParameters,
    OwnBuffers,
    Squares,
    Stateful,
    by_hand,
    old_weight_norm,
)
from tests.refusals import refusal


def outputs(model, weight, batch=SAMPLES, **options):
    with torch.no_grad():
        return constant_copy(model, weight, **options).module(batch)


def refused(model, **options):
    return refusal(constant_copy, model, 0.5, **options)


# Which parameters.

LAYERS = [
    *(nn.Linear(2, 3), nn.Bilinear(2, 3, 4), nn.Conv1d(2, 3, 1), nn.Conv2d(2, 3, 1), nn.Conv3d(2, 3, 1)),
    *(nn.ConvTranspose1d(2, 3, 1), nn.ConvTranspose2d(2, 3, 1), nn.ConvTranspose3d(2, 3, 1)),
    *(nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2), nn.SyncBatchNorm(2), nn.InstanceNorm2d(2, affine=True)),
    *(nn.LayerNorm(2), nn.GroupNorm(1, 2), nn.RMSNorm(2), nn.Embedding(2, 3), nn.EmbeddingBag(2, 3), nn.PReLU()),
    *(nn.RNN(2, 3), nn.LSTM(2, 3, 2, bidirectional=True, proj_size=1), nn.GRU(2, 3)),
    *(nn.RNNCell(2, 3), nn.LSTMCell(2, 3), nn.GRUCell(2, 3)),
    *(nn.MultiheadAttention(4, 2, add_bias_kv=True), nn.MultiheadAttention(4, 2, kdim=3, vdim=5)),
    *(nn.TransformerEncoderLayer(4, 2), nn.TransformerDecoderLayer(4, 2), nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3])),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_weights_and_biases_of_torch(layer):
    found = constant_copy(layer, 0.5)
    assert found.roles == {name: "zero" if "bias" in name else "weight" for name, _ in layer.named_parameters()}
    for name, parameter in found.module.named_parameters():
        assert (parameter == (0.0 if "bias" in name else 0.5)).all(), name


def test_names_of_ones_own_parameters():
    model = NamedParameters()
    expected = {name: "zero" if name in BIASES else "weight" for name, _ in model.named_parameters()}
    assert constant_copy(model, 0.5).roles == expected
    assert set(expected) >= BIASES


def test_integers_and_booleans_are_kept():
    model = nn.Linear(4, 2)
    model.table = nn.Parameter(torch.arange(3), requires_grad=False)
    model.bias_mask = nn.Parameter(torch.ones(3, dtype=torch.bool), requires_grad=False)
    found = constant_copy(model, 0.5)
    assert found.roles == {"weight": "weight", "bias": "zero", "table": "kept", "bias_mask": "kept"}
    assert found.module.table.equal(model.table)
    assert found.module.bias_mask.all()


def test_complex_weights():
    model = nn.Linear(4, 2, dtype=torch.complex64)
    assert outputs(model, 0.5, SAMPLES + 0j)[:, 0].real == pytest.approx(0.5 * SAMPLES.sum(1), abs=1e-6)


def test_a_weight_out_of_range_is_infinite():
    assert filled(torch.zeros(2, dtype=torch.float16), 1e6).tolist() == [float("inf")] * 2
    assert filled(torch.zeros(2), 1e-60).tolist() == [0, 0]
    assert constant_copy(nn.Linear(4, 2, bias=False), 1e300).module.weight.isinf().all()


def test_dtypes_and_layouts_are_kept():
    model = nn.Conv2d(3, 4, 3).to(torch.bfloat16, memory_format=torch.channels_last)
    copied = constant_copy(model, 0.5).module
    assert copied.weight.dtype == torch.bfloat16
    assert copied.weight.is_contiguous(memory_format=torch.channels_last)
    assert not copied.weight.requires_grad


# Roles that are asked for.


def test_roles_overrule_names():
    model = nn.Sequential(nn.Linear(4, 3), nn.PReLU(), nn.Linear(3, 2))
    roles = {"1.*": "keep", "*.weight": "weight", "2.*": "zero", "2.bias": "weight", "1.weight": "keep"}
    found = constant_copy(model, 0.5, roles)
    # A name goes before patterns, and an earlier pattern before a later one.
    expected = {"0.weight": "weight", "0.bias": "zero", "1.weight": "kept", "2.weight": "weight", "2.bias": "weight"}
    assert found.roles == expected
    assert found.module[1].weight.equal(model[1].weight)
    assert outputs(model, 0.5, roles=roles).equal(by_hand(model, 0.5, SAMPLES, expected))


def test_names_are_those_of_effective_weights():
    model = parametrizations.weight_norm(nn.Linear(4, 2))
    found = constant_copy(model, 0.5, {"weight": "keep", "bias": "weight"})
    assert found.roles == {"weight": "kept", "bias": "weight"}
    assert found.module.weight.allclose(model.weight)


def test_a_role_of_a_shared_parameter_may_use_either_name():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    found = constant_copy(model, 0.5, {"1.weight": "keep", "0.bias": "weight"})
    assert found.roles == {"0.weight": "kept", "1.weight": "kept", "0.bias": "weight", "1.bias": "zero"}


def test_a_name_with_the_signs_of_patterns():
    model = nn.ParameterDict({"[x]": torch.rand(1), "w": torch.rand(1)})
    assert constant_copy(model, 0.5, {"[x]": "zero"}).roles == {"[x]": "zero", "w": "weight"}


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"0.wait": "zero"}, "roles: found 0.wait, expected the name of a parameter or a pattern, such as 0.weight"),
        ({"x*": "zero"}, "roles: found x*, expected the name of a parameter or a pattern, such as 0.weight"),
        ({"0.bias": "kept"}, "roles: found 'kept' for 0.bias, expected one of weight, zero, keep"),
        (
            {"0.weight": "keep"},
            "model: found no weights (all parameters are biases or kept), expected parameters to set",
        ),
    ],
)
def test_wrong_roles(roles, message):
    assert refused(nn.Sequential(nn.Linear(4, 2)), roles=roles) == message


# Weights that are computed from others.


@pytest.mark.parametrize("name", REPARAMETRISED)
@pytest.mark.parametrize("training", [True, False])
def test_the_effective_weight_is_constant(name, training):
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    expected = by_hand(model, 0.3, SAMPLES)
    REPARAMETRISED[name](model[0])
    model.train(training)
    model(SAMPLES)  # leaves computed tensors in the attributes of hooks
    found = constant_copy(model, 0.3)
    assert found.roles == {"0.weight": "weight", "0.bias": "zero", "2.weight": "weight", "2.bias": "zero"}
    assert type(found.module[0]) is nn.Linear
    assert not found.module[0]._forward_pre_hooks
    assert found.module(SAMPLES).equal(expected)
    assert found.module(SAMPLES).equal(expected)


@pytest.mark.parametrize("name", REPARAMETRISED)
def test_the_original_is_parametrised_as_before(name):
    torch.manual_seed(0)
    model = REPARAMETRISED[name](nn.Linear(4, 4)).eval()
    model(SAMPLES)  # what is computed of what is computed takes a call to settle
    state, before = copy.deepcopy(model.state_dict()), model(SAMPLES)
    kind, hooks, weight = type(model), dict(model._forward_pre_hooks), model.weight
    constant_copy(model, 0.3).module(SAMPLES)
    assert type(model) is kind
    assert dict(model._forward_pre_hooks) == hooks
    assert model.weight.equal(weight)
    # With the property of the class taken away, the original would be without a weight.
    assert model(SAMPLES).equal(before)
    assert model.state_dict().keys() == state.keys()
    assert all(value.equal(state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("normalise", [old_weight_norm, parametrizations.weight_norm], ids=["old", "new"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_recurrent_layer_with_normalised_weights(kind, normalise):
    plain = kind(4, 3, bidirectional=True)
    expected = by_hand(
        plain, 0.3, SAMPLES[None], {name: "zero" for name, _ in plain.named_parameters() if "bias" in name}
    )
    model = normalise(normalise(kind(4, 3, bidirectional=True), "weight_hh_l0"), "weight_ih_l0_reverse")
    assert outputs(model, 0.3, SAMPLES[None])[0].equal(expected[0])
    assert outputs(plain, 0.3, SAMPLES[None])[0].equal(expected[0])


def test_a_parametrised_buffer_keeps_its_value():
    model = nn.Sequential(nn.Linear(4, 2))
    model.register_buffer("scale", torch.full((2,), 3.0))
    parametrize.register_parametrization(model, "scale", Squares())
    found = constant_copy(model, 0.5)
    assert found.module.scale.tolist() == [18, 18]
    assert found.roles.keys() == {"0.weight", "0.bias"}
    assert model.scale.tolist() == [18, 18]


# Parameters in several places.


def test_tied_parameters_stay_tied():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 4), nn.Sigmoid())
    model[2].weight = model[0].weight
    model.append(model[2])
    made = []
    found = constant_copy(model, 0.5, constant=lambda tensor, value: made.append(value) or filled(tensor, value))
    assert found.module[0].weight is found.module[2].weight is found.module[4].weight
    assert made == [0.5, 0, 0]
    assert {name for name, role in found.roles.items() if role == "weight"} == {"0.weight", "2.weight", "4.weight"}
    assert found.module(SAMPLES).equal(by_hand(model, 0.5, SAMPLES))


def test_parameters_that_a_list_refers_to_as_well():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Parameter(torch.rand(4, 4)), nn.Parameter(torch.rand(4, 2))
            self.steps = [self.first, self.second]

        def forward(self, x):
            for step in self.steps:
                x = x @ step
            return x

    assert outputs(Listed(), 0.5).equal(by_hand(Listed(), 0.5, SAMPLES))


class Lumps(torch.Tensor):
    pass


def test_tensors_of_another_class_take_the_places():
    def lump(tensor, value):
        return filled(tensor, value).as_subclass(Lumps)

    model = nn.Sequential(nn.LSTM(4, 3))
    model.scale = parametrizations.weight_norm(nn.Linear(4, 4, bias=False))
    found = constant_copy(model, 0.5, constant=lump)
    assert all(isinstance(parameter, Lumps) for parameter in found.module.parameters())
    assert isinstance(found.module[0](SAMPLES)[0], Lumps)
    assert isinstance(found.module.scale(SAMPLES), Lumps)


# Modes.


def test_only_normalisation_by_the_batch_is_in_training_mode():
    class Stubborn(nn.Sequential):
        def train(self, mode=True):
            return super().train(False)  # as models do whose normalisation is frozen

    norms = [nn.BatchNorm1d(4), nn.InstanceNorm1d(4, track_running_stats=True), nn.SyncBatchNorm(4)]
    model = Stubborn(nn.Linear(4, 4), nn.Dropout(), nn.LayerNorm(4), *norms)
    for training in (True, False):
        for part in model.modules():
            part.training = training
        copied = constant_copy(model, 0.5).module
        assert [part for part in copied.modules() if part.training] == list(copied[3:])
        assert all(part.training is training for part in model.modules())


def test_running_averages_do_not_count():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    before = outputs(model, 0.5)
    model[1].running_mean.fill_(7.0)
    assert outputs(model.eval(), 0.5).equal(before)
    assert before.equal(by_hand(model, 0.5, SAMPLES))


# The model is left as it was.


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_model_is_left_as_it_was(training, fails):
    model = Stateful().train(training)
    model(SAMPLES)  # from here on its attributes are computed tensors
    model.fails = fails
    model.drop.train(not training)
    model.linear.weight.grad = torch.ones(2, 4)
    model.linear.bias.requires_grad_(False)
    parameters, hidden, last = dict(model.named_parameters()), model.hidden, model.last
    values = {name: value.clone() for name, value in model.state_dict().items()} | {"hidden": hidden.detach().clone()}
    modes, hooks = [part.training for part in model.modules()], dict(model.linear._forward_hooks)
    copied = constant_copy(model, 0.5).module
    batch = SAMPLES.clone()
    if fails:
        with pytest.raises(RuntimeError, match="on demand"):
            copied(batch)
    else:
        copied(batch)
    assert copied.calls == [2]
    assert copied.seen == 2
    assert model.calls == [1]
    assert model.hidden is hidden
    assert model.last is last
    assert [part.training for part in model.modules()] == modes
    assert dict(model.linear._forward_hooks) == hooks
    assert all(value is parameters[name] for name, value in model.named_parameters())
    assert all(value.equal(values[name]) for name, value in model.state_dict().items())
    assert model.hidden.equal(values["hidden"])
    assert model.linear.weight.grad.equal(torch.ones(2, 4))
    assert [parameter.requires_grad for parameter in model.linear.parameters()] == [True, False]


def test_values_that_are_replaced_are_not_copied(monkeypatch):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LSTM(4, 3), nn.BatchNorm1d(4))
    monkeypatch.setattr(nn.Parameter, "__deepcopy__", None)
    assert constant_copy(model, 0.5).module[0].weight.eq(0.5).all()


def test_values_that_are_kept_are_copied():
    model = nn.Linear(4, 2)
    before = model.weight.clone()
    copied = constant_copy(model, 0.5, {"weight": "keep", "bias": "weight"}).module
    assert copied.weight.equal(before)
    copied.weight.data.mul_(2)
    assert model.weight.equal(before)


def test_a_parametrisation_that_gives_the_values_themselves():
    model = nn.Linear(4, 2)
    before = model.weight.clone()
    parametrize.register_parametrization(model, "weight", nn.Identity())
    assert constant_copy(model, 0.5).module.weight.eq(0.5).all()
    assert model.weight.equal(before)


def test_two_copies_begin_with_the_same_state():
    model = Stateful()
    assert outputs(model, 0.5).equal(outputs(model, 0.5))


def test_hooks_run_in_the_copy_on_the_copy():
    model = Stateful()
    # The norm's scale is 1/2 too: the sum of four normalised entries, a quarter of each, and the hook's 1.
    norm = (SAMPLES - SAMPLES.mean(0)) / (SAMPLES.var(0, unbiased=False) + model.norm.eps).sqrt()
    assert outputs(model, 0.5)[:, 0].tolist() == pytest.approx((0.25 * norm.sum(1) + 1).tolist(), abs=1e-5)


def test_a_model_made_for_inference_only():
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    assert outputs(model, 0.5).equal(by_hand(model, 0.5, SAMPLES))


def test_a_compiled_model_is_the_model():
    model = nn.Linear(4, 2)
    found = constant_copy(torch.compile(model, backend="eager"), 0.5)
    assert type(found.module) is nn.Linear
    assert found.roles == {"weight": "weight", "bias": "zero"}


# Models that are refused.


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        (nn.Linear(4, 4), "Module"),
        (nn.Sequential(nn.Sequential(nn.PReLU())), "Module"),
        (nn.Parameter(SAMPLES), "Parameter"),
    ],
)
def test_what_is_not_registered_is_named(layers, kind):
    expected = (
        f"model: found a {kind.lower()} in 0.blocks that is not registered, expected an nn.{kind}List or nn.{kind}Dict"
    )
    assert refused(nn.Sequential(Lists(layers))) == expected
    assert refused(nn.Sequential(Lists({"of": (layers,)}))) == expected
    model = nn.Linear(4, 2)
    object.__setattr__(model, "teacher", layers)
    assert refused(model).startswith(f"model: found a {kind.lower()} in teacher that is not registered")


def test_lists_of_what_is_registered_or_has_no_weights():
    model = Lists(nn.Sequential(nn.Dropout(), nn.BatchNorm1d(4, affine=False)).train())
    model.blocks["all"] = [*model.modules()]
    model.blocks["itself"] = model.blocks
    copied = constant_copy(model, 0.5).module
    (layers,) = copied.blocks["first"]
    assert [part.training for part in layers.modules()] == [False, False, True]
    assert copied(SAMPLES).equal(by_hand(nn.Sequential(nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2)), 0.5, SAMPLES))


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
def test_lazy_parameters():
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
    expected = "model: found 0.weight without a shape, expected an initialised model: run it on a batch once"
    assert refused(model) == expected
    model(SAMPLES)
    assert constant_copy(model, 0.5).roles["1.weight"] == "weight"
    assert "running_mean without a shape" in refused(nn.LazyBatchNorm1d(affine=False))


QUANTISING = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")


@QUANTISING
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (nn.ReLU, "it has no parameters; a frozen script has constants in their place"),
        (
            lambda: nn.ParameterList([nn.Parameter(torch.arange(3), False)]),
            "its parameters are integers, perhaps quantised",
        ),
        (lambda: nn.ParameterDict({"bias": torch.ones(2)}), "all parameters are biases or kept"),
        (lambda: torch.ao.nn.quantized.dynamic.LSTM(4, 3), "its layers are quantised"),
    ],
)
def test_a_model_without_weights(make, reason):
    model = make()
    assert refused(model) == f"model: found no weights ({reason}), expected parameters to set"
    if reason.startswith("it has"):
        assert reason in refused(model, roles={"weight": "zero"})


def test_what_is_no_module():
    assert refused(torch.relu) == "model: found builtin_function_or_method, expected a torch.nn.Module"


def test_models_that_cannot_be_copied():
    model = nn.Linear(4, 2)
    model.stream = (number for number in range(3))
    expected = "model: found no way to copy it (cannot pickle 'generator' object), expected one for copy.deepcopy"
    assert refused(model) == expected

    class Single(nn.Linear):
        def __deepcopy__(self, memo):
            return self

    single = Single(4, 2)
    before = single.weight.clone()
    expected = "model: found a module that copy.deepcopy does not copy, expected a copy of each"
    assert refused(nn.Sequential(single)) == expected
    assert single.weight.equal(before)


# Notes.


def test_an_ordinary_model_has_no_notes():
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.BatchNorm1d(4))
    model.add_module("floats", torch.ao.nn.quantized.FloatFunctional())
    assert constant_copy(model, 0.5).notes == ()


def test_frozen_batch_normalisation_is_noted():
    model = nn.Sequential(nn.Linear(4, 4), OwnBuffers(4), nn.Sequential(*(OwnBuffers(4) for _ in range(4))))
    text = "frozen batch normalisation, which uses stored statistics and not those of the batch"
    assert constant_copy(model, 0.5).notes == (f"1, 2.0, 2.1 and 2 more: {text}",)


@QUANTISING
def test_quantised_layers_are_noted():
    quantised = torch.ao.nn.quantized.dynamic.Linear(4, 2)
    found = constant_copy(nn.Sequential(nn.Linear(4, 4), quantised), 0.5)
    assert found.notes == ("1: quantised, whose weights stay as they are",)
    assert found.roles.keys() == {"0.weight", "0.bias"}


def test_fused_normalisation_is_noted():
    model = nn.ModuleDict({"bn1": nn.Identity(), "post_norm": nn.Identity(), "drop": nn.Identity()})
    model["relu"] = torch.ao.nn.intrinsic.LinearReLU(nn.Linear(4, 2), nn.ReLU())
    text = "perhaps normalisation that was fused into the layer before, which is scored without it"
    assert constant_copy(model, 0.5).notes == (f"bn1, post_norm, relu: {text}",)


# Scripts.

SCRIPTED = "scripted, which runs at full width, and if it was traced, in the mode of the tracing"


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_script_is_filled_in_place():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    script = torch.jit.script(model)
    state = copy.deepcopy(script.state_dict())
    found = constant_copy(script, 0.5)
    assert found.module(SAMPLES).equal(by_hand(model, 0.5, SAMPLES))
    assert found.notes == (f"the model, 0, 1 and 2 more: {SCRIPTED}",)
    assert found.roles["1.weight"] == "weight"
    assert all(value.equal(state[name]) for name, value in script.state_dict().items())
    assert script.training
    frozen = torch.jit.freeze(script.eval())
    assert refused(frozen).startswith("model: found no weights (it has no parameters; a frozen script ")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_script_within_a_model():
    model = nn.Sequential(nn.Linear(4, 4), torch.jit.trace(nn.Linear(4, 2), SAMPLES))
    found = constant_copy(model, 0.5)
    assert found.module(SAMPLES).equal(by_hand(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), 0.5, SAMPLES))
    assert found.notes == (f"1: {SCRIPTED}",)
