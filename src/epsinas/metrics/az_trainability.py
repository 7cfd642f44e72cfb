"""How evenly a network's cells pass gradients on (AZ-NAS).

The formula is in `epsinas.metrics.az_nas`.
"""

from epsinas.metrics.activations import of_connected
from epsinas.metrics.az_nas import az_nas
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

METRIC = Metric(
    name="az_trainability",
    title="AZ-NAS, trainability",
    reference="Lee and Ham (2024), arXiv 2403.19232",
    score=of_connected(lambda subject: az_nas(subject).trainability),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    cost="seconds",
)
