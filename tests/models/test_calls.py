import dataclasses
from collections import UserDict, namedtuple
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, TensorDataset

from epsinas.metrics.epsilon import epsilon
from epsinas.models.calls import arguments, distinct_outputs, output
from tests.refusals import refusal

IMAGES = torch.arange(12.0).reshape(2, 6)


# What goes in.


def test_a_tensor_or_array_is_the_argument():
    for batch in (IMAGES, IMAGES.numpy(), nn.Parameter(IMAGES)):
        (found,), keywords = arguments(batch)
        assert type(found) is torch.Tensor
        assert found.equal(IMAGES)
        assert not found.requires_grad
        assert keywords == {}


@pytest.mark.parametrize("kind", [dict, UserDict])
def test_a_mapping_has_keyword_arguments(kind):
    positional, found = arguments(kind(tokens=IMAGES.long(), mask=None, scale=2.0))
    assert positional == ()
    assert type(found) is dict
    assert found.pop("tokens").equal(IMAGES.long())
    assert found == {"mask": None, "scale": 2.0}


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_sequence_has_positional_arguments(kind):
    found, keywords = arguments(kind([IMAGES, (IMAGES, [IMAGES.numpy()]), 3]))
    assert keywords == {}
    assert found[0].equal(IMAGES)
    assert type(found[1]) is tuple
    assert type(found[1][1]) is list
    assert type(found[1][1][0]) is torch.Tensor
    assert found[2] == 3


class Pair(NamedTuple):
    first: object
    second: object


@dataclasses.dataclass
class Graph:
    nodes: torch.Tensor


def test_containers_of_other_kinds_are_kept():
    pair = Pair(IMAGES.numpy(), torch.Size([2]))
    graph = Graph((2 * IMAGES.requires_grad_()).sin())
    packed = pack_sequence([torch.ones(3), torch.ones(2)])
    found, _ = arguments((pair, graph, packed, {"state": np.float32([1])}))
    IMAGES.requires_grad_(False)
    assert type(found[0]) is Pair
    assert found[0].first.equal(IMAGES)
    assert found[0].second == torch.Size([2])
    assert found[1].nodes.equal(graph.nodes)
    assert not found[1].nodes.requires_grad
    assert found[1] is not graph
    assert type(found[2]) is type(packed)
    assert found[3]["state"].equal(torch.ones(1))
    ((alone,), _) = arguments(packed)
    assert alone.data.equal(packed.data)


INSIDE = [lambda x: x, lambda x: (x, 1), lambda x: {"x": [x]}, lambda x: (Graph(torch.as_tensor(x)),)]


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("given", [IMAGES.clone(), IMAGES.numpy().copy()], ids=["tensor", "array"])
def test_a_model_may_write_into_its_input(inside, given):
    for _ in range(2):
        positional, keywords = arguments(inside(given))
        value = [*positional, *keywords.values()][0]
        value = value[0] if isinstance(value, list) else getattr(value, "nodes", value)
        assert value.tolist() == IMAGES.tolist()
        value += 1
    assert given.tolist() == IMAGES.tolist()


def test_samples_that_share_memory_may_be_written_one_by_one():
    ((found,), _) = arguments(torch.ones(1).expand(3))
    found[0] = 2
    assert found.tolist() == [2, 1, 1]


@pytest.mark.filterwarnings("error")
def test_arrays_of_any_layout():
    array = np.arange(6.0)[::-2]
    array.flags.writeable = False
    ((found,), _) = arguments(array)
    assert found.tolist() == [5, 3, 1]


@pytest.mark.parametrize("bad", [np.array(["a"]), np.array([None]), np.zeros(2, ">f4")])
def test_arrays_of_what_torch_does_not_have(bad):
    assert refusal(arguments, bad) == f"batch: found an array of {bad.dtype}, expected numbers that torch has"


LOADER = DataLoader(TensorDataset(IMAGES))


@pytest.mark.parametrize("batch", [LOADER, LOADER.dataset, iter([IMAGES]), (x for x in [IMAGES])])
def test_loaders_are_no_batch(batch):
    name = type(batch).__name__
    assert refusal(arguments, batch) == f"batch: found {name}, expected one batch of it, such as next(iter(loader))"


@pytest.mark.parametrize("batch", [None, "text", 3, Graph(IMAGES), {1, 2}])
def test_what_is_no_batch(batch):
    expected = "expected a tensor, a tuple of arguments, or a mapping of arguments by name"
    assert refusal(arguments, batch) == f"batch: found {type(batch).__name__}, {expected}"
    assert refusal(arguments, {0: IMAGES}) == "batch: found keys that are not text, expected names of arguments"


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ((), "no tensor"),
        ({}, "no tensor"),
        ([[1.0, 2.0]], "no tensor"),
        (torch.zeros(0, 3), "shape (0, 3)"),
        ((np.zeros((0, 3)), torch.zeros(2, 0)), "shape (0, 3), (2, 0)"),
    ],
)
def test_empty_batches(batch, found):
    assert refusal(arguments, batch) == f"batch: found {found}, expected one or more samples"


def test_an_empty_part_of_a_batch_is_fine():
    assert arguments((IMAGES, torch.zeros(0)))[0][1].shape == (0,)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_batch_that_is_not_finite(value):
    bad = IMAGES.clone()
    bad[1, 2] = value
    batches = [bad, bad.numpy(), {"x": [IMAGES, bad]}, (Graph(bad),), bad + 1j, bad.half(), nn.Parameter(bad)]
    for batch in [*batches, bad.to_sparse(), bad.to_sparse_csr()]:
        assert refusal(arguments, batch) == "batch: has entries that are not finite (NaN or infinite)"


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_batches_of_other_layouts():
    positions = torch.tensor([[0, 0], [1, 1]])
    twice = torch.sparse_coo_tensor(positions, torch.ones(2), check_invariants=True)
    for batch in (twice, IMAGES.to_sparse_csr(), IMAGES > 2):
        ((found,), _) = arguments(batch)
        assert found.layout == batch.layout
        assert found.to_dense().equal(batch.to_dense())


# What comes out.

Fields = namedtuple("Fields", "loss logits")
LOSS, FIRST, LOGITS = torch.tensor(0.5), torch.zeros(2), torch.ones(2)


@dataclasses.dataclass(slots=True)
class Slots:
    logits: object
    hidden: object = None


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (FIRST, FIRST),
        ((FIRST, LOGITS), FIRST),
        ([FIRST], FIRST),
        ((None, 3, FIRST), FIRST),
        (((FIRST, LOGITS), LOGITS), FIRST),
        ({"loss": LOSS, "logits": LOGITS}, LOGITS),
        (UserDict(loss=LOSS, logits=LOGITS), LOGITS),
        ({"logits": None, "out": FIRST}, FIRST),
        ({"out": FIRST, "aux": LOGITS}, FIRST),
        (Fields(LOSS, LOGITS), LOGITS),
        ((Fields(LOSS, LOGITS), FIRST), LOGITS),
        (Slots(LOGITS, FIRST), LOGITS),
        (Slots(None, FIRST), FIRST),
        (Graph(FIRST), FIRST),
        (SimpleNamespace(loss=LOSS, logits=LOGITS), LOGITS),
        (pack_sequence([FIRST]), FIRST),
    ],
)
def test_the_output_of_a_result(result, expected):
    assert output(result).equal(expected)


@pytest.mark.parametrize("result", [None, {"logits": 1}, ([1.0],), "text", Slots(None), SimpleNamespace(x=FIRST), {}])
def test_results_without_a_tensor(result):
    found = type(result).__name__
    assert refusal(output, result) == f"model: found outputs of type {found}, expected a tensor"


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_outputs_that_are_not_floating_point(dtype):
    expected = f"model: found outputs of type {dtype}, expected floating-point numbers"
    assert refusal(output, (FIRST.to(dtype), LOGITS)) == expected


@pytest.mark.parametrize(
    ("found", "layout"),
    [(FIRST.to_sparse(), "torch.sparse_coo on cpu"), (FIRST.to("meta"), "torch.strided on meta")],
)
def test_outputs_that_are_not_dense(found, layout):
    assert refusal(output, found) == f"model: found outputs of layout {layout}, expected a dense tensor"


# Outputs that are equal by symmetry.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_equal_outputs_count_once(dtype):
    column = torch.tensor([0.0, 3.0, -1.0, 8.0], dtype=dtype)
    values = column[:, None].repeat(1, 5)
    # One rounding of 8 next to 0, where such an error is not small of the number itself.
    values[0, 3] += 8 * torch.finfo(dtype).eps
    found = distinct_outputs(values)
    assert found.dtype == np.float64
    assert found.tolist() == column.tolist()


def test_the_limit_is_64_roundings_of_the_largest_output():
    values = np.array([[1.0, 1.0], [4.0, 4.0]], np.float32)
    eps = np.finfo(np.float32).eps
    for roundings, shape in [(60, (2,)), (70, (2, 2))]:
        changed = values.copy()
        changed[0, 1] += 4 * roundings * eps
        assert distinct_outputs(changed).shape == shape
    # Short numbers that are four roundings apart, which 64 would not tell from equal ones.
    assert distinct_outputs(torch.tensor([[1.0, 1.03125]], dtype=torch.bfloat16)).shape == (1, 2)


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, 1.0]),
        np.array([[1.0, 1.0], [1.0, 2.0]]),
        np.array([[1.0, np.nan], [1.0, 1.0]]),
        np.array([[np.inf, np.inf]]),
        np.zeros((0, 3)),
        np.zeros((2, 0)),
        np.array(1.0),
    ],
)
def test_other_outputs_are_returned_as_they_are(values):
    np.testing.assert_array_equal(distinct_outputs(values), values)
    np.testing.assert_array_equal(distinct_outputs(torch.from_numpy(values)), values)


def test_more_dimensions_are_of_one_sample():
    values = torch.ones(3, 2, 4) * torch.arange(3)[:, None, None]
    assert distinct_outputs(values).tolist() == [0, 1, 2]
    assert distinct_outputs(values.permute(1, 0, 2)).tolist() == [[0, 1, 2], [0, 1, 2]]


def test_the_score_does_not_depend_on_the_number_of_classes():
    def scores(classes, treated):
        rng = np.random.default_rng(0)
        low, high = (np.repeat(rng.random((64, 1)), classes, 1) for _ in range(2))
        low, high = (values * (1 + 1e-7 * rng.random(values.shape)) for values in (low, high))
        return epsilon(*(treated(values.astype(np.float32)) for values in (low, high)))

    assert scores(2, distinct_outputs) == pytest.approx(scores(1000, distinct_outputs), rel=1e-6)
    # One zero is masked of each row of equal numbers, where there were as many as classes.
    assert scores(2, np.asarray) != pytest.approx(scores(1000, np.asarray), rel=1e-3)
