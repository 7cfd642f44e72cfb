"""The number of parameters, as a baseline."""

from epsinas.metrics.counts import counted

METRIC = counted("parameters", "parameters", any_model=True)
