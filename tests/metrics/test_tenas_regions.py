import numpy as np
import torch

from epsinas import NasBench201
from epsinas.metrics import tenas_regions
from epsinas.metrics.subject import Conditions, Subject
from epsinas.metrics.tenas_regions import METRIC, count_regions

SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def test_regions_are_different_codes():
    # More units than a byte has bits, and the last one decides.
    codes = torch.zeros(4, 9, dtype=torch.bool)
    codes[1, 8] = codes[2, 0] = True
    assert count_regions(codes) == 3
    pairs = (codes[:, None] == codes).all(dim=2)
    assert count_regions(codes) == (1 / pairs.sum(dim=1)).sum()


def test_flat_images_have_few_regions(monkeypatch, batch):
    monkeypatch.setattr(tenas_regions, "PIECES", 100)
    space = NasBench201(channels=2, cells=1)
    conditions = [Conditions(space, images) for images in (batch, np.sign(batch[:, :, :1, :1]) + 0 * batch)]
    varied, flat = (METRIC.score(Subject(one, SKIP), "").score for one in conditions)
    # Squares of two kinds only, all 1 or all -1.
    assert flat == 2
    assert 2 < varied <= 100
