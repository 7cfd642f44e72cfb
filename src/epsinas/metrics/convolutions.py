"""The number of convolutions, as a baseline.

It is what the norm of all weights (l2_norm) measures: torch's initial weights of a layer have a norm that depends on
the number of its outputs only.
"""

from epsinas.metrics.counts import counted

METRIC = counted("convolutions", "convolutions", families=("images",))
