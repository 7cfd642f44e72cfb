import copy

import pytest
import torch
from torch import nn

from epsinas.models.copying import DetachedCopies


def test_computed_tensors_are_copied_by_value():
    parameter = nn.Parameter(torch.ones(3))
    state = {"computed": 2 * parameter, "parameter": parameter, "whole": torch.zeros(100)}
    state |= {"again": state["computed"], "slice": state["whole"][:2]}
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(state)
    with DetachedCopies() as copies:
        copied = copy.deepcopy(state)
    assert copied["computed"].tolist() == [2, 2, 2]
    assert not copied["computed"].requires_grad
    assert copied["again"] is copied["computed"]
    assert copied["slice"].untyped_storage().nbytes() == 8
    assert isinstance(copied["parameter"], nn.Parameter)
    assert copied["parameter"] is not parameter
    assert [tensor.shape for tensor in copies.tensors] == [(3,), (100,), (2,)]
    assert (2 * parameter).requires_grad
