"""A copy of a torch model whose weights are constant, and whose biases are zero."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from epsinas.engines.images.initialisers import fill
from epsinas.errors import InputError, one_line
from epsinas.models.copying import DetachedCopies

WEIGHT, ZERO, KEPT = "weight", "zero", "kept"
"""What becomes of a parameter: the constant, zero, or nothing."""

_ASKED = {"weight": WEIGHT, "zero": ZERO, "keep": KEPT}
"""What one may ask for, and the role that it gives."""

_BIASES = {"bias", "biases", "beta", "shift", "offset"}


class Copy(NamedTuple):
    """A model with constant weights.

    `roles` says by name whether a parameter is `weight`, `zero` or `kept`; one that is used in two places has two
    names. `notes` are warnings of one line: where scores of the copy may not be what is expected of the model.
    """

    module: nn.Module
    roles: dict[str, str]
    notes: tuple[str, ...]


def filled(tensor: Tensor, value: float) -> Tensor:
    """Return a tensor like another, every entry `value`, or infinite where that is out of the dtype's range."""
    return fill(torch.empty_like(tensor), value)


def constant_copy(
    model: nn.Module,
    weight: float,
    roles: Mapping[str, str] | None = None,
    constant: Callable[[Tensor, float], Tensor] = filled,
) -> Copy:
    """Copy a model, set its weights to a constant and its biases to zero.

    It is the effective weight that is constant: what parametrisations, the normalisation of weights, and pruning
    compute before a call becomes an ordinary parameter. Batch and instance normalisation use the statistics of the
    batch; everything else is in evaluation mode. Hooks are copied and run. The model itself is not touched.

    A parameter is a bias by its name, as in every layer of torch: one of its words is bias, biases, beta, shift or
    offset, or the first is `b` (`b`, `b1`, `b_in`). In a list of parameters the name of the list counts. Integers and
    booleans are kept.

    Args:
        model: a module that `copy.deepcopy` takes.
        weight: the constant.
        roles: overrules names: `weight`, `zero` or `keep` by the name of a parameter, or by a pattern (`*.gate`). A
            name goes before patterns, and an earlier pattern before a later one.
        constant: makes the tensor that takes the place of a parameter, of it and of the value.

    Returns:
        The copy, the role of each parameter, and notes.

    Raises:
        InputError: the model has no weights, has some that are not registered, or cannot be copied, or `roles` names
            no parameter or another role.

    Example:
        >>> copied = constant_copy(nn.Sequential(nn.Linear(2, 1), nn.Dropout()), 0.5)
        >>> copied.module(torch.tensor([[1.0, 2.0]])).tolist()
        [[1.5]]
        >>> copied.roles
        {'0.weight': 'weight', '0.bias': 'zero'}
    """
    module = _plain_copy(model)
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    asked = _asked(roles or {}, [name for tied in names.values() for name in tied])
    found = {parameter: _role(parameter, tied, asked) for parameter, tied in names.items()}
    if WEIGHT not in found.values():
        raise InputError(f"model: found no weights ({_reason(module, list(found))}), expected parameters to set")
    owners = dict(module.named_modules(remove_duplicate=False))
    for parameter, role in found.items():
        if role == KEPT:
            if _is_shareable(parameter):
                parameter.data = parameter.data.clone()
            continue
        value = weight if role == WEIGHT else 0.0
        new = nn.Parameter(constant(parameter.detach(), value), requires_grad=False)
        # A module may hold a parameter elsewhere too, such as in a list; and a scripted one takes no other.
        if _is_shareable(parameter):
            parameter.data = filled(parameter.new_empty(()), value).expand(parameter.shape)
        else:
            fill(parameter.detach(), value)
        for path, _, own in (name.rpartition(".") for name in names[parameter]):
            if not isinstance(owners[path], torch.jit.ScriptModule):
                setattr(owners[path], own, new)
    return Copy(module, {name: found[one] for one, tied in names.items() for name in tied}, _notes(module))


def present_copy(model: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """Copy a model with its present weights, otherwise as `constant_copy` does; all its parameters have gradients.

    Returns:
        The copy, and notes.

    Raises:
        InputError: as `constant_copy`.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 1), nn.Dropout())
        >>> module, _ = present_copy(model)
        >>> module[0].weight.equal(model[0].weight), module[1].training, model[1].training
        (True, False, True)
    """
    module = _plain_copy(model)
    for parameter in module.parameters():
        if _is_shareable(parameter):
            parameter.data = parameter.data.clone()
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    return module, _notes(module)


def _plain_copy(model: nn.Module) -> nn.Module:
    """Copy a model in the mode in which it is scored, its parameters ordinary ones, which may share their memory."""
    module = _copy(model)
    for part in [*module.modules(), *_unregistered_modules(module)]:
        # Not `eval()` and `train()`, which models overrule to keep a part of them in some mode.
        part.training = _uses_the_batch(part)
    for part in module.modules():
        _make_plain(part)
    return module


def _copy(model: nn.Module) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise InputError(f"model: found {type(model).__name__}, expected a torch.nn.Module")
    # A compiled module holds the one that it was made of, which alone can run with other parameters.
    model = getattr(model, "_orig_mod", model)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(tensor):
            raise InputError(
                f"model: found {name} without a shape, expected an initialised model: run it on a batch once"
            )
    shared = {}
    if not any(part._forward_pre_hooks or parametrize.is_parametrized(part) for part in model.modules()):
        # Nothing is computed of the values of parameters, most of which are replaced: they need not be copied.
        shared = {id(one): nn.Parameter(one.detach(), False) for one in model.parameters() if _is_shareable(one)}
    try:
        with DetachedCopies():
            module = copy.deepcopy(model, shared)
    except Exception as error:  # any attribute may refuse, each in its own way
        raise InputError(
            f"model: found no way to copy it ({one_line(error)}), expected one for copy.deepcopy"
        ) from None
    if not {id(part) for part in model.modules()}.isdisjoint(id(part) for part in module.modules()):
        raise InputError("model: found a module that copy.deepcopy does not copy, expected a copy of each")
    return module


def _is_shareable(parameter: Tensor) -> bool:
    """Say whether a parameter can have the memory of another, or of a single entry."""
    return type(parameter) is nn.Parameter and parameter.layout is torch.strided


def _unregistered_modules(model: nn.Module) -> list[nn.Module]:
    """Return modules without parameters that are in lists and the like; refuse those with parameters."""
    seen = {id(one) for one in [*model.modules(), *model.parameters()]}
    modules: list[nn.Module] = []

    def look(path: str, value: object) -> None:
        if id(value) in seen or not isinstance(value, nn.Module | nn.Parameter | dict | list | tuple | set):
            return
        seen.add(id(value))
        if isinstance(value, nn.Parameter) or (isinstance(value, nn.Module) and any(True for _ in value.parameters())):
            kind = "Module" if isinstance(value, nn.Module) else "Parameter"
            containers = f"nn.{kind}List or nn.{kind}Dict"
            raise InputError(
                f"model: found a {kind.lower()} in {path} that is not registered, expected an {containers}"
            )
        if isinstance(value, nn.Module):
            modules.extend(value.modules())
        else:
            for item in value.values() if isinstance(value, dict) else value:
                look(path, item)

    for path, module in model.named_modules():
        for name, value in vars(module).items():
            # Recurrent layers list their parameters for the kernels, and keep that list themselves.
            if value is not None and name != "_flat_weights" and not (isinstance(value, dict) and not value):
                look(f"{path}.{name}".removeprefix("."), value)
    return modules


def _uses_the_batch(module: nn.Module) -> bool:
    """Say whether a module normalises, by the batch in training mode; a scripted one goes by the name of its class."""
    scripted = isinstance(module, torch.jit.ScriptModule)
    kind = getattr(nn, str(module.original_name), None) if scripted else type(module)
    return isinstance(kind, type) and issubclass(kind, _NormBase)


def _make_plain(module: nn.Module) -> None:
    """Make parameters of a module's tensors that are computed from others before each call."""
    # What was put on last is the first to go: pruning may be of a part of a normalised weight.
    for hook in reversed(list(module._forward_pre_hooks.values())):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)
    if not parametrize.is_parametrized(module):
        return
    # Not `remove_parametrizations`: it takes properties from a class, which is the class of the original module too.
    computed: dict[str, Tensor] = {}
    for name, parametrization in cast(nn.ModuleDict, module.parametrizations).items():
        trained = any(True for _ in parametrization.parameters(recurse=False))
        value = getattr(module, name).detach()
        computed[name] = nn.Parameter(value, requires_grad=False) if trained else value
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    for name, value in computed.items():
        if isinstance(value, nn.Parameter):
            setattr(module, name, value)
        else:
            module.register_buffer(name, value)


def _asked(roles: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Check and return the roles that were asked for, by name or pattern, names first."""
    for key, role in roles.items():
        if role not in _ASKED:
            raise InputError(f"roles: found {role!r} for {key}, expected one of {', '.join(_ASKED)}")
        if names and not any(_matches(name, key) for name in names):
            nearest = (get_close_matches(key, names, 1, 0) or names)[0]
            raise InputError(f"roles: found {key}, expected the name of a parameter or a pattern, such as {nearest}")
    return {key: _ASKED[roles[key]] for key in sorted(roles, key=lambda key: key not in names)}


def _role(parameter: Tensor, names: Sequence[str], asked: Mapping[str, str]) -> str:
    """Return the role of a parameter, which may have several names."""
    if not (parameter.is_floating_point() or parameter.is_complex()):
        return KEPT
    for key, role in asked.items():
        if any(_matches(name, key) for name in names):
            return role
    return ZERO if _is_bias(names[0]) else WEIGHT


def _matches(name: str, key: str) -> bool:
    return name == key or fnmatchcase(name, key)


def _is_bias(name: str) -> bool:
    own = next((part for part in reversed(name.split(".")) if not part.isdigit()), "")
    words = [word.rstrip("0123456789") for word in own.split("_")]
    return words[0] == "b" or not _BIASES.isdisjoint(word.lower() for word in words)


def _reason(module: nn.Module, parameters: Sequence[Tensor]) -> str:
    """Say why a model may have no weights."""
    if any(_is_quantised(path, part) for path, part in module.named_modules()):
        return "its layers are quantised"
    if not parameters:
        return "it has no parameters; a frozen script has constants in their place"
    if not any(parameter.is_floating_point() or parameter.is_complex() for parameter in parameters):
        return "its parameters are integers, perhaps quantised"
    return "all parameters are biases or kept"


def _is_quantised(path: str, module: nn.Module) -> bool:
    # A layer's packed numbers are a module themselves, of that name.
    packed = hasattr(module, "_packed_params") or hasattr(module, "_all_weight_values")
    return packed and not path.endswith("_packed_params")


def _is_frozen(path: str, module: nn.Module) -> bool:
    buffers = {name for name, _ in module.named_buffers(recurse=False)}
    return {"running_mean", "running_var"} <= buffers and not _uses_the_batch(module)


def _is_fused(path: str, module: nn.Module) -> bool:
    stands_in = type(module) is nn.Identity and re.search("bn|norm", path.rpartition(".")[2].lower())
    return bool(stands_in) or type(module).__module__.startswith("torch.ao.nn.intrinsic")


def _is_script(path: str, module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)


_NOTES: dict[Callable[[str, nn.Module], bool], str] = {
    _is_frozen: "frozen batch normalisation, which uses stored statistics and not those of the batch",
    _is_quantised: "quantised, whose weights stay as they are",
    _is_fused: "perhaps normalisation that was fused into the layer before, which is scored without it",
    _is_script: "scripted, which runs at full width, and if it was traced, in the mode of the tracing",
}


def _notes(model: nn.Module) -> tuple[str, ...]:
    """Return a line for each kind of module that may not do as one expects, which names the first of them."""
    notes = []
    for applies, text in _NOTES.items():
        paths = [path or "the model" for path, module in model.named_modules() if applies(path, module)]
        if paths:
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            notes.append(f"{', '.join(paths[:3])}{more}: {text}")
    return tuple(notes)
