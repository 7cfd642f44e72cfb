"""Operations that move entries and compute nothing: views, and joining."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from epsinas.models.lumped import (
    Along,
    Classes,
    LumpedTensor,
    Rule,
    add_rule,
    aligned,
    aten,
    full,
    grouped,
    lumped,
    one_class,
    spread,
    taken,
)


@add_rule(aten.detach, aten.alias, aten.lift_fresh, aten.contiguous)
def _same(x: LumpedTensor, **_: Any) -> LumpedTensor:
    return LumpedTensor(x.compact, x.classes)


@add_rule(aten.to)
def _to(x: LumpedTensor, *args: Any, memory_format: Any = None, **options: Any) -> Any:
    if memory_format in (None, torch.preserve_format):
        return NotImplemented
    result = aten.to(x, *args, **options)
    return _same(x) if result is x else result


@add_rule(aten.clone)
def _clone(x: LumpedTensor, **_: Any) -> LumpedTensor:
    return LumpedTensor(x.compact.clone(), x.classes)


@add_rule(aten._to_copy)
def _to_copy(x: LumpedTensor, **options: Any) -> LumpedTensor:
    options.pop("memory_format", None)
    return LumpedTensor(aten._to_copy(x.compact, **options), x.classes)


def _filled(func: Any) -> Rule:
    def rule(x: LumpedTensor, *args: Any, **options: Any) -> LumpedTensor:
        options.pop("memory_format", None)
        one = func(x.compact.new_empty([min(size, 1) for size in x.shape]), *args, **options)
        return LumpedTensor(one, one_class(x.shape))

    return rule


for _operation in (aten.zeros_like, aten.ones_like, aten.full_like):
    add_rule(_operation)(_filled(_operation))


def _newly_filled(func: Any) -> Rule:
    def rule(x: LumpedTensor, shape: Sequence[int], *args: Any, **options: Any) -> LumpedTensor:
        one = func(x.compact, [min(size, 1) for size in shape], *args, **options)
        return LumpedTensor(one, one_class(shape))

    return rule


for _operation in (aten.new_zeros, aten.new_ones, aten.new_full):
    add_rule(_operation)(_newly_filled(_operation))


@add_rule(aten.empty_like)
def _empty_like(x: LumpedTensor, **options: Any) -> Tensor:
    return x.compact.new_empty(x.shape, dtype=options.get("dtype"), device=options.get("device"))


@add_rule(aten.new_empty)
def _new_empty(x: LumpedTensor, shape: Sequence[int], **options: Any) -> Tensor:
    return x.compact.new_empty(shape, dtype=options.get("dtype"), device=options.get("device"))


@add_rule(aten.copy)
def _copy(x: Tensor, source: Tensor, *_: Any) -> LumpedTensor:
    return expand(lumped(source.to(x.dtype)), x.shape)


@add_rule(aten.view, aten._unsafe_view, aten.reshape, aten._reshape_alias)
def view(x: LumpedTensor, shape: Sequence[int], *_: Any) -> LumpedTensor:
    """Merge dimensions, then split them, group by group of dimensions that have as many entries."""
    shape = inferred(x.numel(), shape)
    if x.numel() == 0:
        return LumpedTensor(x.compact.new_empty(shape), [None] * len(shape))
    values, classes = x.compact, list(x.classes)
    dim, position = 0, 0  # in what is left of x, and in the shape
    result: list[Along] = []
    sizes = list(x.shape)
    while dim < len(sizes) or position < len(shape):
        taken_dims, taken_shape = 1 if dim < len(sizes) else 0, 1 if position < len(shape) else 0
        have = sizes[dim] if taken_dims else 1
        want = shape[position] if taken_shape else 1
        while have != want:
            if have < want:
                have *= sizes[dim + taken_dims]
                taken_dims += 1
            else:
                want *= shape[position + taken_shape]
                taken_shape += 1
        # `values` has len(result) finished dimensions, then those of x from `dim` on.
        at = len(result)
        values, along = _merge(values, at, classes[dim : dim + taken_dims], sizes[dim : dim + taken_dims])
        values, parts = _split(values, at, along, shape[position : position + taken_shape])
        result += parts
        dim, position = dim + taken_dims, position + taken_shape
    return LumpedTensor(values, result)


@add_rule(aten.flatten.using_ints)
def _flatten(x: LumpedTensor, first: int = 0, last: int = -1) -> Any:
    if x.ndim == 0:
        return unsqueeze(x, 0)
    first, last = first % x.ndim, last % x.ndim
    if first > last:
        return NotImplemented
    return view(x, [*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]])


@add_rule(aten.ravel)
def _ravel(x: LumpedTensor) -> Any:
    return view(x, [x.numel()])


@add_rule(aten.reshape_as)
def _reshape_as(x: Tensor, other: Tensor) -> Any:
    return view(lumped(x), other.shape)


def inferred(numel: int, shape: Sequence[int]) -> list[int]:
    """Replace -1 in a shape by what is left."""
    known = math.prod(size for size in shape if size != -1)
    return [numel // known if size == -1 and known else size for size in shape]


def _merge(values: Tensor, at: int, classes: Sequence[Along], sizes: Sequence[int]) -> tuple[Tensor, Along]:
    """Make one dimension of some that lie side by side: its classes are pairs of theirs."""
    if len(classes) == 1:
        return values, classes[0]
    shape = list(values.shape)
    merged = values.reshape(*shape[:at], math.prod(shape[at : at + len(classes)]), *shape[at + len(classes) :])
    if not any(classes):
        return merged, None
    size = math.prod(sizes)
    number = merged.shape[at]
    if number == 1:
        return merged, Classes(size) if size > 1 else None
    places = torch.zeros(1, dtype=torch.int64)
    for along, own, length in zip(classes, shape[at : at + len(classes)], sizes, strict=True):
        inner = torch.arange(length) if along is None else along.places
        places = (places[:, None] * own + inner).flatten()
    return merged, None if number == size else Classes(size, places, number)


def _split(values: Tensor, at: int, along: Along, sizes: Sequence[int]) -> tuple[Tensor, list[Along]]:
    """Make several dimensions of one: entries are equal along one of them if they are so everywhere."""
    if len(sizes) == 1:
        return values, [along]
    shape = list(values.shape)
    if along is None:
        return values.reshape(*shape[:at], *sizes, *shape[at + 1 :]), [None] * len(sizes)
    if along.members is None:
        return values.reshape(*shape[:at], *[1] * len(sizes), *shape[at + 1 :]), one_class(sizes)
    table = along.members.reshape(*sizes)
    result: list[Along] = []
    for dim, size in enumerate(sizes):
        first, members = _distinct(table.movedim(dim, 0).reshape(size, -1))
        if size > 1 and len(first) < size:
            result.append(Classes(size, members if len(first) > 1 else None, len(first)))
            table = table.index_select(dim, first)
        else:
            result.append(None)
    gathered = values.index_select(at, table.flatten().to(values.device))
    return gathered.reshape(*shape[:at], *table.shape, *shape[at + 1 :]), result


def _distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Find distinct rows of a table: where each is first, and which of them each row is."""
    # To sort one number for each row, here a polynomial of its entries, is many times as fast as to sort rows.
    factors = torch.full((rows.shape[1],), 6364136223846793005).cumprod(0)
    for numbers, dim in ((rows * factors).sum(1), None), (rows, 0):
        kept, members = torch.unique(numbers, dim=dim, return_inverse=True)
        first = torch.full((len(kept),), len(rows)).scatter_reduce(0, members, torch.arange(len(rows)), "amin")
        if torch.equal(rows.index_select(0, first).index_select(0, members), rows):
            break
    return first, members


@add_rule(aten.permute)
def permute(x: LumpedTensor, dims: Sequence[int]) -> LumpedTensor:
    """Reorder dimensions."""
    return LumpedTensor(x.compact.permute(tuple(dims)), [x.classes[dim] for dim in dims])


@add_rule(aten.transpose)
def transpose(x: LumpedTensor, first: int, second: int) -> LumpedTensor:
    """Exchange two dimensions."""
    dims = list(range(x.ndim))
    dims[first], dims[second] = dims[second], dims[first]
    return permute(x, dims)


@add_rule(aten.t)
def _t(x: LumpedTensor) -> LumpedTensor:
    return permute(x, list(range(x.ndim))[::-1])


@add_rule(aten.unsqueeze)
def unsqueeze(x: LumpedTensor, dim: int) -> LumpedTensor:
    """Insert a dimension of one entry."""
    dim %= x.ndim + 1
    return LumpedTensor(x.compact.unsqueeze(dim), [*x.classes[:dim], None, *x.classes[dim:]])


@add_rule(aten.squeeze)
def _squeeze(x: LumpedTensor, dims: int | Sequence[int] | None = None) -> LumpedTensor:
    chosen = range(x.ndim) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = {dim % x.ndim for dim in chosen if x.shape[dim] == 1}
    kept = [dim for dim in range(x.ndim) if dim not in gone]
    values = x.compact.reshape([x.compact.shape[dim] for dim in kept])
    return LumpedTensor(values, [x.classes[dim] for dim in kept])


@add_rule(aten.expand)
def expand(x: LumpedTensor, shape: Sequence[int], **_: Any) -> LumpedTensor:
    """Repeat dimensions of one entry: all of them are equal."""
    new = len(shape) - x.ndim
    values, classes = x.compact[(None,) * new], [None] * new + list(x.classes)
    for dim, size in enumerate(shape):
        here = 1 if dim < new else x.shape[dim - new]
        if here == 1 and size > 1:
            classes[dim] = Classes(size)
        elif size == 0:
            values = values.narrow(dim, 0, 0)
    return LumpedTensor(values, classes)


@add_rule(aten.repeat)
def _repeat(x: LumpedTensor, repeats: Sequence[int]) -> Any:
    x = lumped(x[(None,) * (len(repeats) - x.ndim)])
    shape = [size * times for size, times in zip(x.shape, repeats, strict=True)]
    for dim in range(len(repeats)):
        x = unsqueeze(x, 2 * dim)
    return view(expand(x, [n for k, times in enumerate(repeats) for n in (times, x.shape[2 * k + 1])]), shape)


def picked(x: LumpedTensor, dim: int, places: Tensor) -> LumpedTensor:
    """Take entries along a dimension by their numbers."""
    dim %= x.ndim
    along = x.classes[dim]
    classes = list(x.classes)
    if along is not None and along.members is None:
        classes[dim] = Classes(len(places)) if len(places) > 1 else None
        values = x.compact if len(places) else x.compact.narrow(dim, 0, 0)
        return LumpedTensor(values, classes)
    classes[dim], kept = grouped(places if along is None else along.members[places])  # type: ignore[index]
    return LumpedTensor(taken(x.compact, dim, kept), classes)


@add_rule(aten.slice)
def cut(x: LumpedTensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> LumpedTensor:
    """Take a slice along a dimension."""
    if x.classes[dim] is None:
        return LumpedTensor(aten.slice(x.compact, dim, start, end, step), x.classes)
    return picked(x, dim, torch.arange(x.shape[dim])[slice(start, end, step)])


@add_rule(aten.select)
def one_entry(x: LumpedTensor, dim: int, index: int) -> LumpedTensor:
    """Take one entry along a dimension."""
    dim %= x.ndim
    along = x.classes[dim]
    at = index if along is None else 0 if along.members is None else int(along.members[index])
    return LumpedTensor(x.compact.select(dim, at), [*x.classes[:dim], *x.classes[dim + 1 :]])


@add_rule(aten.index_select)
def _index_select(x: LumpedTensor, dim: int, index: Tensor) -> Any:
    return picked(x, dim, full(index).cpu())


@add_rule(aten.flip)
def _flip(x: LumpedTensor, dims: Sequence[int]) -> LumpedTensor:
    for dim in dims:
        x = picked(x, dim, torch.arange(x.shape[dim]).flip(0))
    return x


@add_rule(aten.roll)
def _roll(x: LumpedTensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Any:
    if not dims:
        return NotImplemented
    for shift, dim in zip(shifts, dims, strict=True):
        x = picked(x, dim, torch.arange(x.shape[dim]).roll(shift))
    return x


@add_rule(aten.unbind)
def _unbind(x: LumpedTensor, dim: int = 0) -> list[LumpedTensor]:
    return [one_entry(x, dim, index) for index in range(x.shape[dim])]


@add_rule(aten.split_with_sizes, aten.unsafe_split_with_sizes)
def _split_with_sizes(x: LumpedTensor, sizes: Sequence[int], dim: int = 0) -> list[LumpedTensor]:
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [cut(x, dim, end - size, end) for size, end in zip(sizes, ends, strict=True)]


@add_rule(aten.split, aten.unsafe_split)
def _split_evenly(x: LumpedTensor, size: int, dim: int = 0) -> list[LumpedTensor]:
    total = x.shape[dim]
    return _split_with_sizes(x, [min(size, total - start) for start in range(0, total, size)], dim)


@add_rule(aten.unfold)
def _unfold(x: LumpedTensor, dim: int, size: int, step: int) -> LumpedTensor:
    x = spread(x, [dim])
    return LumpedTensor(x.compact.unfold(dim, size, step), [*x.classes, None])


@add_rule(aten.cat, aten.concatenate)
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    """Put tensors one after the other: along the dimension their classes stay apart, unless they are one tensor."""
    parts = [lumped(x) for x in tensors if x.ndim > 1 or x.numel()]
    dim %= parts[0].ndim
    if any(x.shape[:dim] != parts[0].shape[:dim] or x.shape[dim + 1 :] != parts[0].shape[dim + 1 :] for x in parts):
        return NotImplemented  # to torch's own error
    values, classes = aligned(parts, parts[0].shape, beside=dim)
    numbers, places, pieces = 0, [], []
    seen: dict[int, int] = {}
    widest = [max(sizes) for sizes in zip(*(part.shape for part in values), strict=True)]
    for x, part in zip(parts, values, strict=True):
        known = seen.get(id(x.compact))
        if known is None:
            known = seen[id(x.compact)] = numbers
            pieces.append(part.expand([*widest[:dim], -1, *widest[dim + 1 :]]))
            numbers += part.shape[dim]
        along = x.classes[dim]
        places.append(known + (torch.arange(x.shape[dim]) if along is None else along.places))
    together = torch.cat(places)
    size = len(together)
    result = torch.cat(pieces, dim)
    if numbers == size:
        classes[dim] = None
    elif numbers == 1:
        classes[dim] = Classes(size)
    else:
        classes[dim] = Classes(size, together, numbers)
    return LumpedTensor(result, classes)


@add_rule(aten.stack)
def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    return cat([unsqueeze(lumped(x), dim) for x in tensors], dim)


@add_rule(aten.constant_pad_nd)
def _constant_pad(x: LumpedTensor, pad: Sequence[int], value: float = 0.0) -> Any:
    pads = {x.ndim - 1 - k: (pad[2 * k], pad[2 * k + 1]) for k in range(len(pad) // 2)}
    for dim, (before, after) in pads.items():
        if x.classes[dim] is None:
            own = [0] * (2 * (x.ndim - dim))
            own[-2:] = [before, after]
            x = LumpedTensor(aten.constant_pad_nd(x.compact, own, value), x.classes)
            continue
        if before < 0 or after < 0:
            x = cut(x, dim, max(-before, 0), x.shape[dim] - max(-after, 0))
        ends = []
        for count in (before, after):
            shape = [*x.shape[:dim], max(count, 0), *x.shape[dim + 1 :]]
            one = x.compact.new_full([min(size, 1) for size in shape], value)
            ends.append(LumpedTensor(one, one_class(shape)))
        x = cat([part for part in (ends[0], x, ends[1]) if part.shape[dim]], dim)
    return x
