"""Networks small enough to score by hand, and subjects of small networks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from epsinas import NasBench201
from epsinas.metrics.base import METRICS, Scored
from epsinas.metrics.subject import Conditions, Subject

TINY = NasBench201(channels=4, cells=1)
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_3x3~0|nor_conv_1x1~1|skip_connect~2|"
DISCONNECTED = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
DEAD_END = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
RECIPE = (
    '{"total": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["total"]}}'
)


@dataclass(frozen=True)
class Toy:
    """`linear`: means of the channels, then a classifier; `two`: a convolution of one pixel before it."""

    classes: int = 3
    channels: int = 4
    name: ClassVar[str] = "toy"
    family: ClassVar[str] = "images"

    def network(self, ops, architecture, images):
        x = ops.conv(images, self.channels, 1) if architecture == "two" else images
        return ops.linear(ops.global_avg_pool(x), self.classes)


def labels_of(batch: np.ndarray, classes: int = 10) -> np.ndarray:
    return np.arange(len(batch)) % classes


def subject(space, architecture: str, batch: np.ndarray, classes: int = 10, **conditions) -> Subject:
    return Subject(Conditions(space, batch, labels=labels_of(batch, classes), **conditions), architecture)


def score(name: str, one: Subject) -> Scored:
    return METRICS[name].score(one, "")


def linear(batch: np.ndarray):
    """The linear network, its weight (3, 3) and, for each image, means (N, 3), logits and their gradient (N, 3).

    The gradient is that of the image's own cross entropy, p - y.
    """
    one = subject(Toy(), "linear", batch, classes=3)
    layer = one.network.layers[0]
    weight, bias = (parameter.detach().double().numpy() for parameter in (layer.weight, layer.bias))
    means = batch.astype(float).mean(axis=(2, 3))
    logits = means @ weight.T + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return one, weight, means, logits, chances - np.eye(3)[one.labels]
