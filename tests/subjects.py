"""Subjects with given outputs and networks of given layers, for tests of what metrics make of them."""

from types import SimpleNamespace

from torch import Tensor

from epsinas.engines.images.full_width import FullWidth
from epsinas.metrics.base import Scored
from epsinas.metrics.epsilon import METRIC, pair_setting
from epsinas.metrics.subject import Subject


class Given(Subject):
    """A network whose outputs are known by weight; `asked` lists the weights that were asked for."""

    def __init__(self, outputs, zeros="masked", estimates_rounding=True, precision="double", connected=True):
        family = SimpleNamespace(estimates_rounding=estimates_rounding, connected=lambda *_: connected)
        conditions = SimpleNamespace(family=family, zeros=zeros, precision=precision, space=None)
        conditions.engine = SimpleNamespace(outputs=self._outputs)
        super().__init__(conditions, "given")
        self.given, self.asked = outputs, []

    def _outputs(self, architecture, weight):
        self.asked.append(weight)
        return self.given[weight]


def score_outputs(low, high, zeros="masked") -> Scored:
    """Return the epsilon metric of outputs under two weights, with the estimate of its rounding error."""
    return METRIC.score(Given({1.0: low, 2.0: high}, zeros), pair_setting((1.0, 2.0)))


class Described:
    """In the place of a search space: one network, as a function of operations and images."""

    def __init__(self, describe):
        self.describe = describe

    def network(self, ops, architecture, images):
        return self.describe(ops, images)


def full_width_network(describe, *weights: Tensor):
    """Return what a full-width network is to metrics; `describe` takes these weights, without biases, in order."""
    layers = [(weight, None) for weight in weights]
    return SimpleNamespace(space=Described(describe), architecture="", operations=lambda: FullWidth(iter(layers)))
