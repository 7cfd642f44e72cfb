"""Networks with random weights on another device than the CPU: `meta`, which has shapes but no numbers."""

import numpy as np
import pytest

from epsinas.metrics.base import METRICS, RANDOM_WEIGHTS
from epsinas.metrics.subject import Conditions, Subject
from tests.metrics.toys import MIXED, TINY

SETTINGS = {"random_pair": "normal", "layerwise": "snip,0"}
NAMES = [metric.name for metric in METRICS if RANDOM_WEIGHTS in metric.needs and metric.suits("images")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_metrics_keep_to_the_device_until_they_need_numbers(name, batch):
    """Tensors of two devices in one operation would be said to be such."""
    conditions = Conditions(TINY, batch, labels=np.arange(len(batch)) % 3, device="meta")
    metric = METRICS[name]
    setting = SETTINGS.get(name) or next(iter(metric.settings.values()))({})[0]
    with pytest.raises((RuntimeError, NotImplementedError)) as caught:
        metric.score(Subject(conditions, MIXED), setting)
    assert any(text in str(caught.value) for text in ("cannot be called on meta", "copy out of meta", "nonzero"))
