"""The family of recurrent networks over batches of token sequences: its batches and interpreters."""

from epsinas.engines.sequences.family import FAMILY

__all__ = ["FAMILY"]
