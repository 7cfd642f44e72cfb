import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import epsinas
from epsinas.datasets.base import DATASETS, title
from epsinas.datasets.digits import digits_images
from epsinas.datasets.zipf import zipf_text


def test_a_data_set_is_found_by_its_name():
    assert set(DATASETS.names) == {"cifar10", "cifar100", "ImageNet16-120", "digits", "ptb", "wikitext-2", "zipf"}
    assert {dataset.family for dataset in DATASETS} == {"images", "sequences"}


@pytest.mark.parametrize(
    ("name", "printed"),
    [("cifar100", "CIFAR-100"), ("ImageNet16-120", "ImageNet16-120"), ("wikitext-2", "WikiText-2"), ("own", "own")],
)
def test_titles(name, printed):
    assert title(name) == printed


def test_normalisations_are_those_of_the_benchmark():
    # nas_201_api's training code: https://github.com/D-X-Y/AutoDL-Projects, datasets/get_dataset_with_transform.py
    assert DATASETS["cifar10"].normalisation.mean == (125.3, 123.0, 113.9)
    assert DATASETS["cifar100"].normalisation.deviation == (68.2, 65.4, 70.4)
    assert DATASETS["ImageNet16-120"].normalisation.mean == (122.68, 116.66, 104.01)
    assert {dataset.name for dataset in DATASETS if dataset.normalisation is None} == {
        "digits",
        "ptb",
        "wikitext-2",
        "zipf",
    }


def test_titles_need_no_large_package():
    """Every table needs titles, none needs what trains or downloads."""
    package = Path(epsinas.__file__).parent
    script = f"""
import sys, types
epsinas = types.ModuleType("epsinas")
epsinas.__path__ = [{str(package)!r}]
sys.modules["epsinas"] = epsinas
from epsinas.datasets.base import title
assert title("cifar10") == "CIFAR-10"
print(*{{"torch", "numba", "requests", "pooch", "gdown", "nas_201_api", "sklearn"}} & set(sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_digits_have_one_channel():
    images = digits_images()
    assert images.images.shape == (1797, 8, 8, 1)
    assert images.images.max() == 16
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_made_up_text_follows_zipfs_law():
    lines = zipf_text().splitlines()
    assert len(lines) == 12_000
    words = [word for line in lines for word in line.split()]
    assert len(words) == 240_000
    # The harmonic number of 10,000 is 9.788: word 1 has a share of 0.1022, word 2 half of that.
    shares = [words.count(word) / 240_000 for word in ("w1", "w2", "w10")]
    assert shares == pytest.approx([0.1022, 0.0511, 0.01022], rel=0.1)
