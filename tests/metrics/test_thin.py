import dataclasses

import pytest

from epsinas import NasBench101, NasBench201
from epsinas.metrics.thin import thin


@pytest.mark.parametrize(
    ("space", "expected"), [(NasBench201(classes=7), (1, 1, 7)), (NasBench101(channels=4, cells=2), (4, 1, 10))]
)
def test_the_thinnest_network(space, expected):
    assert dataclasses.astuple(thin(space, 1)) == expected


def test_a_wider_one():
    assert thin(NasBench201(), 3) == NasBench201(channels=3, cells=1)
    assert thin(NasBench101(), 3) == NasBench101(channels=4, cells=1)
