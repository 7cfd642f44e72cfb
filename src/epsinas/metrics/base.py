"""What a metric is: a number for a network that was not trained, and what has to be known about that number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from epsinas.errors import InputError
from epsinas.registry import Registry, import_own

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject

CONSTANT_WEIGHTS, RANDOM_WEIGHTS, LABELS = "constant weights", "random weights", "labels"
"""What a metric may need beside a network and its inputs."""

STRINGS = "strings"
"""In the place of weights: metrics that count tell networks apart by what their strings say."""

REASONS = ("disconnected", "underflow", "overflow", "constant", "failed")
"""Why a network has no score: input and output are not connected; the outputs vanished; they left the range of the
numbers; they are the same for all inputs; the computation failed."""

LIMIT = 1e-3
"""A score is limited by rounding where its estimated relative error is larger than this."""


class Scored(NamedTuple):
    """A score, NaN for none, an estimate of its relative error by rounding, NaN for none, and why there is no score.

    A network without a score has the error infinity where rounding may be why, that is where its outputs under a
    weight are finite but constant, and 0 where they are not finite.
    """

    score: float
    error: float = math.nan
    reason: str = ""

    @property
    def limited(self) -> bool:
        """Whether rounding may change the score by more than LIMIT of it."""
        return self.error > LIMIT


def scored(value: float) -> Scored:
    """Return a score, or why a value is none: infinite ones overflowed, any other failed."""
    if math.isfinite(value):
        return Scored(float(value))
    return Scored(math.nan, reason="failed" if math.isnan(value) else "overflow")


def _one_setting(section: Mapping[str, Any]) -> tuple[str, ...]:
    return ("",)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: identifier, in files, studies and on the command line.
        title: in print.
        reference: who proposed it, where.
        score: its formula, a function of a subject and a setting. What it raises counts as no score.
        sign: 1 if a higher score is to predict a better network, -1 if a lower one is.
        needs: of CONSTANT_WEIGHTS, RANDOM_WEIGHTS and LABELS.
        families: whose networks it can score, by name; of every family where there are none.
        cost: how long a network takes on one core: `nothing`, `milliseconds`, `seconds` or `minutes`.
        settings: by name, lists of what a metric can be set to, given the section of a study: pairs of weights, names
            of initialisations; the first list is the usual one. A setting is a text; most metrics have one, the empty
            one.
        work: how much a list of settings costs, in units of a single one.
        columns: what a setting says, as columns of a table.
        skeleton: changes to a study's skeleton, given its section.
        any_model: whether it can score any torch module; see `epsinas.score`.
    """

    name: str
    title: str
    reference: str
    score: Callable[[Subject, str], Scored]
    sign: int = 1
    needs: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    cost: str = "milliseconds"
    settings: Mapping[str, Callable[[Mapping[str, Any]], Sequence[str]]] = field(
        default_factory=lambda: {"one": _one_setting}
    )
    work: Callable[[Sequence[str]], float] = field(default=len)
    columns: Callable[[str], dict[str, object]] = field(default=lambda setting: {})
    skeleton: Callable[[Mapping[str, Any]], dict[str, int]] = field(default=lambda section: {})
    any_model: bool = False

    @property
    def tells_apart_by(self) -> str:
        """What tells networks apart whose scores may differ: CONSTANT_WEIGHTS, RANDOM_WEIGHTS, or STRINGS, to count."""
        if RANDOM_WEIGHTS not in self.needs and CONSTANT_WEIGHTS in self.needs:
            return CONSTANT_WEIGHTS
        return STRINGS if self.cost == "nothing" else RANDOM_WEIGHTS

    def suits(self, family: str) -> bool:
        """Say whether it can score the networks of a family."""
        return not self.families or family in self.families

    def check_family(self, family: str) -> None:
        """Raise `InputError` where it cannot score the networks of a family."""
        if not self.suits(family):
            raise InputError(f"metric {self.name}: found networks of {family}, expected {' or '.join(self.families)}")

    def check_labels(self, labels: np.ndarray | None, size: int) -> None:
        """Raise `InputError` where it needs labels, and they are not one integer for each of so many images."""
        if LABELS not in self.needs:
            return
        if labels is None:
            raise InputError(f"labels: found none, expected one for each image; the metric {self.name} needs them")
        if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (size,):
            found = f"{labels.dtype} of shape {labels.shape}"
            raise InputError(f"labels: found {found}, expected integers of shape ({size},), one for each image")


METRICS: Registry[Metric] = Registry("metric", "epsinas.metrics", "METRIC")


def list_metrics() -> list[str]:
    """Return the names of all metrics.

    Example:
        >>> "epsilon" in list_metrics()
        True
    """
    return list(METRICS.names)


ALIASES = {"nwot": "naswot", "jacov": "jacob_cov", "params": "parameters", "every_network": "kernel_agreement"}
"""How others call some metrics in the tables that they publish, and what the metric for every network is."""


def metric_title(name: str) -> str:
    """Return how a metric is called in print, with its source and its name there if its scores are from elsewhere.

    Args:
        name: of a metric or one of ALIASES; with `@source` where its scores are from elsewhere.

    Example:
        >>> metric_title("naswot"), metric_title("naswot@published"), metric_title("nwot@published")
        ('NASWOT', 'NASWOT (published)', 'NASWOT (published as nwot)')
        >>> metric_title("mine@own")
        'mine (own)'
    """
    stem, _, source = name.partition("@")
    own = ALIASES.get(stem, stem)
    title = METRICS[own].title if own in METRICS else stem
    alias = f" as {stem}" if own != stem else ""
    return f"{title} ({source}{alias})" if source else title


def find_metric(name: str) -> Metric:
    """Return a metric by its name or alias, or one's own by `package.module:function`.

    The function takes a network with random weights, a `torch.nn.Module` that knows its `architecture`, and the batch,
    and returns a number. The network is its own: it may change it. The metric bears the function's name. A torch model
    of one's own has the weights that it has.

    Raises:
        InputError: there is no such metric, module or function, or its name is that of another.
    """
    if ":" not in name:
        try:
            return METRICS[ALIASES.get(name, name)]
        except InputError as error:
            raise InputError(f"{error}, or package.module:function for one's own") from None
    module, _, function = name.partition(":")
    found = getattr(import_own(module), function, None)
    if not callable(found):
        raise InputError(f"metric {name}: found {type(found).__name__}, expected a function of a network and a batch")
    if function in METRICS:
        raise InputError(f"metric {name}: there is a metric {function} already, expected another name")
    return own_metric(found)


def own_metric(function: Callable[[Any, Any], float]) -> Metric:
    """Make a metric of a function of a network and a batch; see `find_metric`."""

    def score(subject: Subject, setting: str) -> Scored:
        found = function(subject.copy(), subject.tensor)
        if np.iscomplexobj(found):  # a conversion would drop the imaginary part
            raise TypeError(f"found {found}, expected a real number")
        return scored(float(found))

    name = function.__name__
    return Metric(name, name, "one's own", score, needs=(RANDOM_WEIGHTS,), cost="seconds", any_model=True)
