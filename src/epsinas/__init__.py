"""epsinas: score neural networks without training them, reproducibly.

The epsilon metric of Gracheva (2024), "Neural Architecture Search via Two Constant Shared Weights
Initialisations", arXiv 2302.04406: how much the shape of a network's outputs changes between two constant
weights predicts the accuracy that training would give.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from epsinas.engines.sequences.batches import TokenBatch
from epsinas.errors import InputError
from epsinas.evaluation.ranking import evaluate
from epsinas.metrics.base import list_metrics
from epsinas.metrics.epsilon import epsilon
from epsinas.scoring import score, score_architectures
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP, space

if TYPE_CHECKING:
    from epsinas.sources.packaged import load_benchmark

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
    "epsilon",
    "evaluate",
    "list_metrics",
    "load_benchmark",
    "score",
    "score_architectures",
    "space",
]


def __getattr__(name: str) -> Any:
    """Import what reads tables only when it is asked for, since most programs do not."""
    if name == "load_benchmark":
        from epsinas.sources.packaged import load_benchmark

        return load_benchmark
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
