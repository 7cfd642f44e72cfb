"""WikiText-2 (Merity et al. 2016): the validation text."""

from epsinas.datasets.base import Dataset
from epsinas.sources.base import RawFile, Source
from epsinas.sources.conversion import copy_conversion

TEXT = RawFile(
    "wikitext-2.valid.txt",
    ("https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/valid.txt",),
    "sha256",
    "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    1_121_681,
)

DATASET = Dataset(
    name="wikitext-2",
    title="WikiText-2",
    family="sequences",
    sources=(Source("wikitext-2/valid.txt", (copy_conversion(TEXT),), "CC BY-SA 3.0"),),
)
