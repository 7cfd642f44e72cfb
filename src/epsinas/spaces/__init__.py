"""Search spaces: each describes its networks once, against abstract operations."""

from epsinas.spaces.base import SPACES, ImageSpace, SequenceSpace, Space, space
from epsinas.spaces.nas_bench_101 import NasBench101
from epsinas.spaces.nas_bench_201 import NasBench201
from epsinas.spaces.nas_bench_nlp import NasBenchNLP

__all__ = ["SPACES", "ImageSpace", "NasBench101", "NasBench201", "NasBenchNLP", "SequenceSpace", "Space", "space"]
