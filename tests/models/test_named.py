import numpy as np
import pytest
import torch
from torch import nn

from epsinas import InputError
from epsinas.models.named import find_model, in_dtype_of, read_inputs


def test_a_module_or_what_makes_one():
    assert type(find_model("torch.nn:Identity")()) is nn.Identity
    assert find_model("tests.models.test_named:MODEL")() is MODEL


MODEL = nn.Linear(2, 1)


@pytest.mark.parametrize("name", ["", "module", "module:", ":function"])
def test_a_name_has_two_parts(name):
    with pytest.raises(InputError, match=f"^model: found '{name}', expected PACKAGE.MODULE:FUNCTION$"):
        find_model(name)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f8", ">f4"])
def test_floating_batches_have_the_dtype_of_the_parameters(dtype):
    batch = np.array([[0.5, -2.0]], dtype)
    for own in (torch.float32, torch.float64, torch.bfloat16):
        found = in_dtype_of(nn.Linear(2, 1).to(own), batch)
        assert found.dtype == own
        assert found.tolist() == [[0.5, -2.0]]


def test_the_first_floating_parameter_counts():
    model = nn.Module()
    model.codes = nn.Parameter(torch.tensor([1]), requires_grad=False)
    model.scale = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    model.shift = nn.Parameter(torch.tensor([1.0]))
    assert in_dtype_of(model, np.zeros(2, np.float32)).dtype == torch.float64


def test_other_batches_stay_as_they_are():
    integers, numbers = np.array([[1, 2]]), np.zeros(2, np.float16)
    assert in_dtype_of(nn.Linear(2, 1), integers) is integers
    assert in_dtype_of(nn.Identity(), numbers) is numbers


def test_any_array_is_read(tmp_path):
    array = np.arange(5, dtype=np.int16)
    np.save(tmp_path / "batch.npy", array)
    found = read_inputs(tmp_path / "batch.npy")
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, array)
