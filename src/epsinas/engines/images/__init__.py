"""The family of convolutional networks over image batches: its batches and interpreters."""

from epsinas.engines.images.family import FAMILY

__all__ = ["FAMILY"]
