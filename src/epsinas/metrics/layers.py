"""The number of trainable layers, as a baseline."""

from epsinas.metrics.counts import counted

METRIC = counted("layers", "layers", any_model=True)
