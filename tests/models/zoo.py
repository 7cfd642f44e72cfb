"""Small networks with the wiring of well-known families, for what has to hold for any network.

Each of `MODELS` builds a module in float64 and a batch for it: a tensor, a tuple of positional tensors, or a dict of
keywords. They are written out here so that the tests need no library of models. Few channels and small images keep a
pass below a few hundredths of a second. Under equal weights many give every example the same output, as the originals
do; those whose residual streams reach the head without a normalisation over channels do not. Modules come as torch
makes them, in training mode; some drop values by chance there.
"""

from tests.models import attention, classic, mobile, multiscale, residual, sequences, structures
from tests.models.parts import MODELS, call, fill, logits, rounding

FAMILIES = (classic, residual, mobile, multiscale, attention, sequences, structures)

__all__ = ["FAMILIES", "MODELS", "call", "fill", "logits", "rounding"]
