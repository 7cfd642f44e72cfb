import math

import pytest
import torch

from epsinas import NasBench201
from epsinas.metrics.activations import forward_pass
from epsinas.metrics.near import METRIC, effective_rank
from epsinas.metrics.subject import Conditions, Subject

SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def test_the_effective_rank():
    # p is 3/4 and 1/4, also after a rotation.
    turned = torch.diag(torch.tensor([3.0, 1.0])) @ torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    expected = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert effective_rank(turned) == pytest.approx(expected)
    assert effective_rank(torch.eye(5)) == pytest.approx(5)
    assert effective_rank(torch.ones(3, 3)) == pytest.approx(1)
    assert effective_rank(torch.zeros(3, 3)) == 0


def test_the_sum_over_layers(batch):
    subject = Subject(Conditions(NasBench201(channels=2, cells=1), batch), SKIP)
    blocks = forward_pass(subject).blocks
    # Stem: convolution and normalisation; two reductions: (ReLU, convolution, normalisation) twice and a convolution;
    # normalisation, ReLU and the classifier.
    assert len(blocks) == 2 + 2 * 7 + 3
    assert METRIC.score(subject, "").score == pytest.approx(sum(map(effective_rank, blocks)))
