import numpy as np
import pytest
import torch

from epsinas import NasBench101
from epsinas.engines.images.full_width import FullWidth
from epsinas.errors import InputError
from epsinas.metrics.base import METRICS
from epsinas.metrics.diswot import Similarities, distance, similarities
from epsinas.spaces import NasBench201
from tests.metrics.toys import DISCONNECTED, MIXED, SKIP, TINY, Toy, linear, score, subject
from tests.subjects import Described


class Classified:
    """A classifier without bias on the means of the images' channels."""

    architecture = ""

    def __init__(self, weight):
        self.weight = torch.tensor(weight)
        self.space = Described(lambda ops, x: ops.linear(ops.global_avg_pool(x), len(weight)))

    def operations(self):
        return FullWidth(iter([(self.weight, torch.zeros(len(self.weight)))]))


def test_the_matrices_by_hand():
    """Two images of two channels and one pixel, (3, 4) and (0, 1), and a classifier of zeros: all chances are 1/2."""
    images = torch.tensor([[3.0, 4.0], [0.0, 1.0]]).reshape(2, 2, 1, 1)
    found = similarities(Classified([[0.0, 0.0], [0.0, 0.0]]), images, torch.tensor([0, 1]))
    # Products 25, 4 and 4, 1; rows over sqrt(641) and sqrt(17).
    expected = np.array([[25, 4] / np.sqrt(641), [4, 1] / np.sqrt(17)])
    np.testing.assert_allclose(found.images.numpy(), expected, rtol=1e-12)
    # The first class: ((1/2 - 1) (3, 4) + (1/2) (0, 1)) / 2 = (-3/4, -3/4); the second has the opposite.
    np.testing.assert_allclose(found.channels.numpy(), np.full((2, 2, 2), np.sqrt(0.5)), rtol=1e-12)


def test_the_gradient_is_that_of_the_loss(batch):
    one, *_ = linear(batch)
    network, labels = one.copy(), torch.from_numpy(one.labels)
    torch.nn.functional.cross_entropy(network(one.tensor), labels).backward()
    gradient = network.layers[0].weight.grad.double()
    products = gradient[:, :, None] * gradient[:, None, :]
    expected = products / products.norm(dim=2, keepdim=True)
    np.testing.assert_allclose(similarities(one.network, one.tensor, labels).channels, expected, rtol=1e-3, atol=1e-5)


def test_the_distance_by_hand():
    """Four entries of images differ by 1, 0, 0, 1; of the two channels one row by (2, 0), the other by nothing."""
    teacher = Similarities(torch.eye(2), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    student = Similarities(torch.zeros(2, 2), torch.tensor([[[-1.0, 0.0], [0.0, 1.0]]]))
    assert distance(teacher, student) == 2 / 4 + 4 / 2
    assert distance(teacher, teacher) == 0


def test_channels_are_compared_by_angle_and_signs():
    first, second = torch.tensor([[1.0, 2.0, -2.0]]), torch.tensor([[2.0, -1.0, 2.0]])
    images = torch.eye(2)

    def rows(gradient):
        products = gradient[:, :, None] * gradient[:, None, :]
        return Similarities(images, torch.nn.functional.normalize(products, dim=2))

    # cos = (2 - 2 - 4) / 9, and of the three products' signs one is positive.
    assert distance(rows(first), rows(second)) == pytest.approx(2 - 2 * (-4 / 9) * (-1 / 3))


@pytest.mark.parametrize("space", [TINY, NasBench101(channels=4, cells=1)])
def test_scores_of_a_space(space, batch):
    architecture = MIXED if space is TINY else "010001000:input,maxpool3x3,output"
    one = subject(space, architecture, batch)
    found = score("diswot", one)
    assert found.score < 0
    assert not found.reason
    given = METRICS["diswot"].score(subject(space, architecture, batch), space.deepest)
    assert given == found
    # The teacher's architecture is a student with weights of its own.
    assert score("diswot", subject(space, space.deepest, batch)).score < 0


def test_the_teacher_is_run_once_for_all_students(batch, monkeypatch):
    from epsinas.metrics import diswot

    runs = []
    real = diswot.similarities
    monkeypatch.setattr(diswot, "similarities", lambda network, *rest: runs.append(1) or real(network, *rest))
    first = subject(TINY, MIXED, batch)
    second = type(first)(first.conditions, SKIP)
    assert score("diswot", first) != score("diswot", second)
    assert len(runs) == 3


def test_another_teacher_gives_another_score(batch):
    one = subject(TINY, MIXED, batch)
    assert METRICS["diswot"].score(one, SKIP) != METRICS["diswot"].score(one, "")


def test_networks_that_the_images_do_not_reach(batch):
    assert score("diswot", subject(TINY, DISCONNECTED, batch)).reason == "disconnected"


def test_a_space_without_a_teacher(batch):
    expected = "metric diswot: space toy: found no architecture `deepest`, expected one, the teacher's"
    with pytest.raises(InputError, match=expected):
        score("diswot", subject(Toy(), "linear", batch, classes=3))


@pytest.mark.parametrize("space", [NasBench201(channels=4, cells=1), NasBench101(channels=4, cells=1)])
def test_no_network_of_a_sample_is_deeper(space):
    from epsinas.engines.base import family_of

    family = family_of(space)
    drawn = [] if space.name == "nas-bench-101" else space.sample(100, np.random.default_rng(0))
    assert all(family.count(space, one).depth <= family.count(space, space.deepest).depth for one in drawn)
    space.parse(space.deepest)
