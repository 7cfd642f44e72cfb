"""The number of multiplications and additions for one image or token, as a baseline."""

from epsinas.metrics.counts import counted

METRIC = counted("flops", "FLOPs", any_model=True)
