"""epsinas: score neural networks without training them, reproducibly.

The epsilon metric of Gracheva (2024), "Neural Architecture Search via Two Constant Shared Weights
Initialisations", arXiv 2302.04406: how much the shape of a network's outputs changes between two constant
weights predicts the accuracy that training would give.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from epsinas.engines.sequences.batches import TokenBatch
from epsinas.errors import InputError
from epsinas.evaluation.ranking import evaluate
from epsinas.metrics.base import list_metrics
from epsinas.metrics.epsilon import epsilon
from epsinas.scoring import score_architectures
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP, space

if TYPE_CHECKING:
    from epsinas.bench.standing import rank
    from epsinas.models.diagnosis import diagnose, score
    from epsinas.sources.packaged import load_benchmark
    from epsinas.weights import choose_weights

_LATER = {
    "choose_weights": "epsinas.weights",
    "diagnose": "epsinas.models.diagnosis",
    "load_benchmark": "epsinas.sources.packaged",
    "rank": "epsinas.bench.standing",
    "score": "epsinas.models.diagnosis",
}

try:
    __version__ = version("epsinas")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "unknown"
__all__ = [
    "InputError",
    "NasBench101",
    "NasBench201",
    "NasBenchNLP",
    "TokenBatch",
    "__version__",
    "choose_weights",
    "diagnose",
    "epsilon",
    "evaluate",
    "list_metrics",
    "load_benchmark",
    "rank",
    "score",
    "score_architectures",
    "space",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch or reads tables only when it is asked for, since most programs do not."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
