"""How operations of torch are computed on lumped tensors; docs/models.md says why the results are exact."""

from epsinas.models.lumped import RULES
from epsinas.models.rules import entries, layers, normalisation, products, reductions, regions, structure
from epsinas.models.rules.entries import general

__all__ = ["RULES", "entries", "general", "layers", "normalisation", "products", "reductions", "regions", "structure"]
