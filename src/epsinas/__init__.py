"""epsinas: score neural networks without training them, reproducibly.

The epsilon metric of Gracheva (2024), "Neural Architecture Search via Two Constant Shared Weights
Initialisations", arXiv 2302.04406: how much the shape of a network's outputs changes between two constant
weights predicts the accuracy that training would give.
"""

from importlib.metadata import version

from epsinas.engines.sequences.batches import TokenBatch
from epsinas.errors import InputError
from epsinas.evaluation.ranking import evaluate
from epsinas.metrics.base import list_metrics
from epsinas.metrics.epsilon import epsilon
from epsinas.scoring import score, score_architectures
from epsinas.spaces import NasBench101, NasBench201, NasBenchNLP, space

__version__ = version("epsinas")
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
    "score",
    "score_architectures",
    "space",
]
