"""Over how many directions the maps between a network's cells spread (AZ-NAS).

The formula is in `epsinas.metrics.az_nas`.
"""

from epsinas.metrics.activations import of_connected
from epsinas.metrics.az_nas import az_nas
from epsinas.metrics.base import RANDOM_WEIGHTS, Metric

METRIC = Metric(
    name="az_expressivity",
    title="AZ-NAS, expressivity",
    reference="Lee and Ham (2024), arXiv 2403.19232",
    score=of_connected(lambda subject: az_nas(subject).expressivity),
    needs=(RANDOM_WEIGHTS,),
    families=("images",),
    cost="seconds",
)
