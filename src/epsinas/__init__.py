"""epsinas: score neural networks without training them, reproducibly.

The epsilon metric of Gracheva (2024), "Neural Architecture Search via Two Constant Shared Weights
Initialisations", arXiv 2302.04406: how much the shape of a network's outputs changes between two constant
weights predicts the accuracy that training would give.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from epsinas.errors import InputError

if TYPE_CHECKING:
    from epsinas.bench.standing import rank
    from epsinas.engines.sequences.batches import TokenBatch
    from epsinas.evaluation.ranking import evaluate
    from epsinas.metrics.base import list_metrics
    from epsinas.metrics.epsilon import epsilon
    from epsinas.models.diagnosis import diagnose, score
    from epsinas.scoring import score_architectures
    from epsinas.sources.packaged import load_benchmark
    from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP, space
    from epsinas.weights import choose_weights

    __version__: str

_HOMES = {
    "NasBench101": "epsinas.spaces",
    "NasBench201": "epsinas.spaces",
    "NasBenchNLP": "epsinas.spaces",
    "TokenBatch": "epsinas.engines.sequences.batches",
    "choose_weights": "epsinas.weights",
    "diagnose": "epsinas.models.diagnosis",
    "epsilon": "epsinas.metrics.epsilon",
    "evaluate": "epsinas.evaluation.ranking",
    "list_metrics": "epsinas.metrics.base",
    "load_benchmark": "epsinas.sources.packaged",
    "rank": "epsinas.bench.standing",
    "score": "epsinas.models.diagnosis",
    "score_architectures": "epsinas.scoring",
    "space": "epsinas.spaces",
}

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
    """Import what is asked for when it is: most programs need a part, and the command line is to hear signals."""
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    elif name == "__version__":
        found = _version()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("epsinas")
    except PackageNotFoundError:  # a source tree that is not installed
        return "unknown"
