"""Deep copies in which tensors are values, whatever computed them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class DetachedCopies(TorchFunctionMode):
    """While it is entered, `copy.deepcopy` copies tensors by their values; `tensors` lists the copies.

    Without it `copy.deepcopy` refuses tensors that autograd computed, such as a weight that a hook set or a state kept
    between two calls, and copies the whole of a large array for a slice of it. Parameters stay parameters, and are not
    listed.

    Example:
        >>> import copy, torch
        >>> state = {"hidden": 2 * torch.ones(1, requires_grad=True)}
        >>> with DetachedCopies() as copies:
        ...     copy.deepcopy(state)
        {'hidden': tensor([2.])}
    """

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace the copying of a tensor, and nothing else."""
        if func is not Tensor.__deepcopy__:
            return func(*args, **(kwargs or {}))
        self.tensors.append(args[0].detach().clone())
        return self.tensors[-1]
