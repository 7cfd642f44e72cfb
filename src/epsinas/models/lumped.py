"""Tensors that keep equal entries once, for torch modules whose parameters are constants.

With every weight of a layer equal, its output channels are equal, and so is much of what follows. A `LumpedTensor` is
a tensor of torch that holds a smaller one, and for each dimension which of its entries are equal: along dimension d,
entry i of the tensor is entry `members[i]` of the smaller one. Operations on such tensors reach `__torch_dispatch__`;
rules (`epsinas.models.rules`) compute their results on the smaller tensors. What has no rule is computed at full width,
so that every result is right, and only the time differs. docs/models.md has the proof.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten

_COMPOSED = torch._C.DispatchKey.CompositeImplicitAutograd

_shares_memory: Callable[[Tensor, Tensor], bool] = torch._C._is_alias_of  # type: ignore[attr-defined]

_AS_IT_IS = nullcontext()

MAY_COPY = {aten.reshape, aten.reshape_as, aten.flatten, aten.ravel, aten.contiguous, aten.to}
"""Operations that return a view, or a copy where the layout of memory demands it."""


class Classes:
    """Which entries along a dimension are equal.

    Args:
        size: number of entries, 2 or more.
        members: int64 (size,), the class of each entry, counted from 0; None if all are in one class.
        number: of classes.
    """

    __slots__ = ("members", "number", "size")

    def __init__(self, size: int, members: Tensor | None = None, number: int = 1):
        self.size, self.members, self.number = size, members, number

    @property
    def counts(self) -> Tensor:
        """Entries in each class, int64 (number,)."""
        return (
            torch.tensor([self.size]) if self.members is None else torch.bincount(self.members, minlength=self.number)
        )

    @property
    def places(self) -> Tensor:
        """The class of each entry, int64 (size,)."""
        return torch.zeros(self.size, dtype=torch.int64) if self.members is None else self.members

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Classes) or (self.size, self.number) != (other.size, other.number):
            return False
        if self.members is None or other.members is None:
            return self.members is other.members
        return torch.equal(self.members, other.members)

    __hash__ = None  # type: ignore[assignment]  # equal ones are found by comparison


Along = Classes | None
"""Classes of a dimension; None if every entry is one by itself."""


def grouped(places: Tensor) -> tuple[Along, Tensor | None]:
    """Make classes of entries with equal numbers.

    Args:
        places: int64 (size,), where each entry is to be taken from; equal numbers make a class.

    Returns:
        The classes, and the number that each class stands for, int64 (number,).
    """
    size = len(places)
    if size < 2:
        return None, places
    kept, members = torch.unique(places, return_inverse=True)
    if len(kept) == size:
        return None, places
    return Classes(size, members if len(kept) > 1 else None, len(kept)), kept


class _Content:
    """What a lumped tensor holds, and if it is a view, of what.

    `family` has the tensor, its views and theirs. Those of one `branch` share memory. Those of another may or may not:
    between them are operations that copy in some layouts of memory, which lumped tensors do not keep.
    """

    __slots__ = ("branch", "classes", "compact", "family", "origin")

    def __init__(self, compact: Tensor, classes: tuple[Along, ...]):
        self.compact, self.classes = compact, classes
        self.family: list[weakref.ref[LumpedTensor]] = []
        self.branch: object = None
        self.origin: tuple[_Content, Callable[[Tensor], Tensor]] | None = None


class LumpedTensor(Tensor):
    """A tensor whose entries along some dimensions are equal in classes.

    It is for inference mode. Elsewhere torch composes some operations before they get here, and a copy that `reshape`
    makes passes for a view, which matters where one of the two is changed in place.

    Attributes:
        compact: the smaller tensor, one entry for each class along each dimension.
        classes: of each dimension.
    """

    _content: _Content

    @staticmethod
    def __new__(cls, compact: Tensor, classes: Sequence[Along]) -> LumpedTensor:
        """Make a tensor of the full shape without memory of its own."""
        shape = [along.size if along else size for along, size in zip(classes, compact.shape, strict=True)]
        make: Any = torch.Tensor._make_wrapper_subclass
        with torch.inference_mode() if _autograd.watches else _AS_IT_IS:
            tensor: LumpedTensor = make(cls, shape, dtype=compact.dtype, device=compact.device)
        tensor._content = _Content(compact, tuple(classes))
        return tensor

    @property
    def compact(self) -> Tensor:
        """The smaller tensor."""
        return self._content.compact

    @property
    def classes(self) -> tuple[Along, ...]:
        """Classes of each dimension."""
        return self._content.classes

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"LumpedTensor({tuple(self.shape)} of {tuple(self.compact.shape)}, {self.dtype})"

    def contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
        """Return a tensor that shares memory with this one or not, where torch takes this one for contiguous."""
        return aten.contiguous.default(self, memory_format=memory_format)

    __torch_function__: Any = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's own stub takes it for a method of instances
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Compute an operation by its rule, or at full width."""
        return compute(func, args, kwargs or {})[0]


def constant_tensor(like: Tensor, value: float) -> Tensor:
    """Return a tensor of the shape, dtype and device of another, all of whose entries are a value."""
    # A value out of the range of the dtype becomes infinite, which `full` refuses.
    one = torch.tensor(value, dtype=torch.float64).to(like.device, like.dtype)
    if like.numel() < 2:
        return one.expand(like.shape).clone()
    return LumpedTensor(one.reshape([1] * like.ndim), one_class(like.shape))


def one_class(shape: Sequence[int]) -> list[Along]:
    """Return the classes of a tensor of a shape whose entries are all equal."""
    return [Classes(size) if size > 1 else None for size in shape]


def full(x: Any) -> Any:
    """Return an ordinary tensor; anything else as it is."""
    if not isinstance(x, LumpedTensor):
        return x
    return spread(x, range(x.ndim)).compact.contiguous()


def spread(x: LumpedTensor, dims: Sequence[int] | range) -> LumpedTensor:
    """Return a tensor that holds every entry along some dimensions."""
    values, classes = x.compact, list(x.classes)
    for dim in dims:
        along = classes[dim]
        if along is not None:
            if along.members is None:
                shape = list(values.shape)
                shape[dim] = along.size
                values = values.expand(shape)
            else:
                values = values.index_select(dim, along.members.to(values.device))
            classes[dim] = None
    return LumpedTensor(values, classes)


def lumped(x: Tensor) -> LumpedTensor:
    """Return a lumped tensor, all of whose entries are by themselves if it was an ordinary one."""
    return x if isinstance(x, LumpedTensor) else LumpedTensor(x, [None] * x.ndim)


def joined(first: Along, second: Along) -> tuple[Along, Tensor | None, Tensor | None]:
    """Return the classes of entries that are equal in two dimensions of one size.

    Returns:
        The classes; and which class of the first, and of the second, each of them stands for, None for all in order.
        Where an operand has one class, a single entry serves for all of them, and the answer is None too.
    """
    if first is None or second is None:
        ways = [None if along is None or along.members is None else along.members for along in (first, second)]
        return None, ways[0], ways[1]
    if first.members is None:
        return second, None, None
    if second.members is None or first == second:
        return first, None, None
    both, kept = grouped(first.members * second.number + second.members)
    assert kept is not None
    if both is None:
        return None, first.members, second.members
    return both, kept // second.number, kept % second.number


def taken(values: Tensor, dim: int, way: Tensor | None) -> Tensor:
    """Take entries along a dimension, or all."""
    return values if way is None else values.index_select(dim, way.to(values.device))


def aligned(
    parts: Sequence[LumpedTensor], shape: Sequence[int], beside: int | None = None
) -> tuple[list[Tensor], list[Along]]:
    """Bring tensors that are broadcast to a shape to common classes, along all dimensions or all but one."""
    values = [x.compact for x in parts]
    classes: list[Along] = []
    for dim in range(-len(shape), 0):
        there = [k for k, x in enumerate(parts) if x.ndim >= -dim and x.shape[dim] == shape[dim] and shape[dim] != 1]
        if not there or (beside is not None and dim == beside - len(shape)):
            classes.append(None)
            continue
        along: Along = Classes(shape[dim])
        for position, k in enumerate(there):
            along, former, latter = joined(along, parts[k].classes[dim])
            values[k] = taken(values[k], dim, latter)
            if former is not None:
                for earlier in there[:position]:
                    if values[earlier].shape[dim] > 1:
                        values[earlier] = taken(values[earlier], dim, former)
        classes.append(along)
    return values, classes


def wide(x: Tensor) -> Tensor:
    """Return half precision as float32, in which torch sums it, and a count has all its digits."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def nothing(x: Tensor) -> Tensor:
    """Return an empty tensor in the place of a result that only gradients need."""
    return torch.empty(0, dtype=x.dtype, device=x.device)


Rule = Callable[..., Any]

RULES: dict[Any, Rule] = {}
"""What computes an operation of torch on lumped tensors, by operation (an overload or all of its overloads)."""


def add_rule(*operations: Any) -> Callable[[Rule], Rule]:
    """Name the operations that a function is a rule of.

    A rule takes the operation's arguments, of which some tensors are lumped, and returns what the operation does, as
    lumped tensors or ordinary ones; or NotImplemented, for arguments that it leaves to the full width.

    Args:
        operations: such as `torch.ops.aten.relu`, or one overload of it, `torch.ops.aten.relu.default`.

    Example:
        >>> import torch
        >>> from epsinas.models.lumped import RULES, add_rule
        >>> @add_rule(torch.ops.aten.trace)
        ... def trace(x):
        ...     return NotImplemented
        >>> RULES.pop(torch.ops.aten.trace) is trace
        True
    """

    def add(rule: Rule) -> Rule:
        for operation in operations:
            RULES[operation] = rule
        _rule_of.cache_clear()
        return rule

    return add


def compute(func: Any, args: tuple, kwargs: dict) -> tuple[Any, bool]:
    """Compute an operation of which some tensors are lumped; say whether by a rule, rather than at full width."""
    if not _autograd.watches:
        return _compute(func, args, kwargs)
    with torch.inference_mode(False):
        return _compute(func, *tree_map(_watchable, (args, kwargs)))


class _Autograd(threading.local):
    """Whether autograd watches what is computed of the smaller tensors."""

    watches = False


_autograd = _Autograd()


@contextmanager
def watched_by_autograd() -> Iterator[None]:
    """Have autograd watch what is computed of the smaller tensors, while a model runs in inference mode.

    It never watches the lumped tensors, whose operations would else be in its graph, too.
    """
    _autograd.watches = True
    try:
        yield
    finally:
        _autograd.watches = False


def _watchable(x: Any) -> Any:
    """Return a tensor that autograd may keep, for one that a model made in inference mode."""
    if isinstance(x, LumpedTensor):
        if x.compact.is_inference():
            x._content.compact = x.compact.clone()
        return x
    return x.clone() if isinstance(x, Tensor) and x.is_inference() else x


def _compute(func: Any, args: tuple, kwargs: dict) -> tuple[Any, bool]:
    if _changes_first(func) and isinstance(args[0], LumpedTensor):
        return _in_place(func, args, kwargs)
    return _out_of_place(func, args, kwargs)


def _out_of_place(func: Any, args: tuple, kwargs: dict) -> tuple[Any, bool]:
    rule = _rule_of(func)
    result = NotImplemented if rule is None else rule(*args, **kwargs)
    has_rule = result is not NotImplemented
    if not has_rule:
        before = _at_full_width.count
        if _is_composed(func):
            return func._op_dk(_COMPOSED, *args, **kwargs), before == _at_full_width.count
        result = _compute_at_full_width(func, args, kwargs)
    if _is_view(func) and isinstance(args[0], LumpedTensor):
        result = [lumped(one) for one in result] if isinstance(result, tuple | list) else lumped(result)
        _make_views(result, func, args, kwargs)
        return result, has_rule
    given = [x.compact if isinstance(x, LumpedTensor) else x for x in args if isinstance(x, Tensor)]
    if isinstance(result, tuple | list):
        return type(result)(_with_own_memory(one, given) for one in result), has_rule
    return _with_own_memory(result, given), has_rule


class _Counter(threading.local):
    """How many operations ran at full width, so that what is composed of others is known by them."""

    count = 0


_at_full_width = _Counter()


def _compute_at_full_width(func: Any, args: tuple, kwargs: dict) -> Any:
    _at_full_width.count += 1
    if func.overloadpacket is aten.as_strided:
        raise NotImplementedError("as_strided of a lumped tensor, which has no strides")
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written = args[position] if position < len(args) else kwargs.get(argument.name)
            if any(isinstance(x, LumpedTensor) for x in tree_leaves(written)):
                raise NotImplementedError(f"{func} writes into a lumped tensor")
    return func(*tree_map(full, args), **tree_map(full, kwargs))


@functools.cache
def _rule_of(func: Any) -> Rule | None:
    from epsinas.models.rules import general

    # Of the overloads of an operation some may write into an argument, `out`.
    packet = None if func._schema.is_mutable else RULES.get(func.overloadpacket)
    return RULES.get(func) or packet or general(func)


@functools.cache
def _is_composed(func: Any) -> bool:
    """Say whether torch composes an operation of others, whose rules then serve."""
    # Not by `func.decompose`, which for some has another composition, whose results share other memory.
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSED)


@functools.cache
def _changes_first(func: Any) -> bool:
    return func._schema.is_mutable and func._schema.name.endswith("_")


@functools.cache
def _is_view(func: Any) -> bool:
    returns = func._schema.returns
    return bool(returns) and returns[0].alias_info is not None and not func._schema.is_mutable


def _with_own_memory(x: Any, given: Sequence[Tensor]) -> Any:
    """Return a result that shares no memory with operands: an ordinary tensor, if it has no classes.

    One that autograd watches stays inside, or autograd would watch what is done to lumped tensors themselves.
    """
    if not isinstance(x, Tensor):
        return x
    compact = x.compact if isinstance(x, LumpedTensor) else x
    shares = any(_shares_memory(compact, one) for one in given)
    if isinstance(x, LumpedTensor) and any(x.classes):
        return LumpedTensor(compact.clone(), x.classes) if shares else x
    compact = compact.clone() if shares else compact
    return lumped(compact) if compact.requires_grad else compact


def _in_place(func: Any, args: tuple, kwargs: dict) -> tuple[LumpedTensor, bool]:
    """Compute an operation that changes its first argument."""
    target: LumpedTensor = args[0]
    content = target._content
    if torch.Tag.inplace_view in func.tags:
        raise NotImplementedError(f"{func} of a lumped tensor")
    family = [tensor for member in content.family if (tensor := member()) is not None]
    if len(family) > 1:
        if any(tensor._content.branch is not content.branch for tensor in family):
            raise NotImplementedError(f"{func} of a tensor that may share memory with others, or have its own")
        # Inside an operation torch marks no tensor as a view, but for this; autograd needs to know which are.
        with torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.ADInplaceOrView, False):
            _separate(family)
            func(content.compact, *tree_map(full, args[1:]), **tree_map(full, kwargs))
        return target, False
    name = func._schema.name.removeprefix("aten::")
    # Of `__iand__`, the operation that changes nothing is `__and__`; of `add_`, `add`.
    name = f"__{name[3:]}" if name.startswith("__i") else name[:-1]
    function = getattr(getattr(aten, name), func._overloadname, None)
    if function is None:
        raise NotImplementedError(f"{func} of a lumped tensor")
    result, has_rule = _out_of_place(function, args, kwargs)
    result = lumped(result)
    if result.shape != target.shape:
        raise NotImplementedError(f"{func} of a lumped tensor changes its shape")
    content.compact, content.classes = result.compact.to(target.dtype), result.classes
    content.origin, content.family, content.branch = None, [], None
    return target, has_rule


def _make_views(result: Any, func: Any, args: tuple, kwargs: dict) -> None:
    """Make views members of their tensor's family, so that a change of one reaches the others."""
    parent: LumpedTensor = args[0]
    content = parent._content
    if not content.family:
        content.family.append(weakref.ref(parent))
    several, further = isinstance(result, list | tuple), args[1:]
    for position, view in enumerate(result if several else [result]):
        # Neither the parent nor its other views are to live on in this function.
        again = functools.partial(_view_again, func, further, kwargs, position if several else None)
        view._content.family, view._content.origin = content.family, (content, again)
        view._content.branch = object() if func.overloadpacket in MAY_COPY else content.branch
        content.family.append(weakref.ref(view))


def _view_again(func: Any, further: tuple, kwargs: dict, position: int | None, values: Tensor) -> Tensor:
    made = func(values, *further, **kwargs)
    return made if position is None else made[position]


def _separate(family: Sequence[LumpedTensor]) -> None:
    """Give tensors of one branch memory that they share, at full width."""
    done: set[int] = set()

    def fill(content: _Content) -> None:
        if id(content) in done:
            return
        done.add(id(content))
        if content.origin is None or content.origin[0].branch is not content.branch:
            whole = LumpedTensor(content.compact, content.classes)
            content.compact = spread(whole, range(whole.ndim)).compact.clone(memory_format=torch.contiguous_format)
        else:
            parent, again = content.origin
            fill(parent)
            content.compact = again(parent.compact)
        content.classes = (None,) * content.compact.ndim

    for tensor in family:
        fill(tensor._content)
