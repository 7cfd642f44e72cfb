import math

import numpy as np
import pytest
import torch

from epsinas import NasBench201
from epsinas.metrics.naswot import METRIC, code_volume
from epsinas.metrics.subject import Conditions, Subject

SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def codes(*rows):
    return torch.tensor(rows, dtype=torch.bool)


def test_the_kernel_counts_units_that_agree():
    # Images agree in 1 of 3, 2 of 3 and 0 of 3 units: the determinant of [[3, 1, 2], [1, 3, 0], [2, 0, 3]].
    found = code_volume([codes([1, 0, 0], [1, 1, 1], [0, 0, 0])])
    assert found == pytest.approx(math.log(3 * 9 - 1 * 3 - 2 * 6))


def test_relus_add_up():
    one = codes([1, 0, 0], [1, 1, 1], [0, 0, 0])
    assert code_volume([one[:, :1], one[:, 1:]]) == code_volume([one])
    assert code_volume([one, one]) == pytest.approx(code_volume([one]) + 3 * math.log(2))


def test_images_with_one_code_have_no_volume():
    assert code_volume([codes([1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 1, 1])]) == -math.inf
    # Three images and one unit: no two codes beyond the first can be independent.
    assert code_volume([codes([1], [0], [1])]) == -math.inf


def test_equal_images_give_no_score(batch):
    batch[1] = batch[0]
    found = METRIC.score(Subject(Conditions(NasBench201(channels=2, cells=1), batch), SKIP), "")
    assert np.isnan(found.score)
    assert found.reason == "constant"
