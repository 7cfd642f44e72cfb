import gzip
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from epsinas.datasets.cifar10 import cifar10_images
from epsinas.datasets.cifar100 import cifar100_images
from epsinas.datasets.imagenet16_120 import imagenet16_120_images
from tests.refusals import refusal
from tests.sources.test_pickles import Calls, python2_batch


def pixels(count: int, side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def rows(images: np.ndarray) -> np.ndarray:
    """Images as the official files have them: a row holds the red plane, then the green, then the blue."""
    return np.stack([np.concatenate([image[:, :, channel].ravel() for channel in range(3)]) for image in images])


def write_archive(path: Path, folder: str, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def write_cifar10(path: Path) -> Path:
    """Five batches of two images, the archive's other files among them, out of order."""
    members = {"readme.html": b"<html>", "batches.meta": b"not read", "test_batch": b"not read"}
    for number in (2, 1, 3, 5, 4):
        batch = python2_batch(rows(pixels(2, 32, number)), b"labels", [number, 0])
        members[f"data_batch_{number}"] = batch
    return write_archive(path, "cifar-10-batches-py", members)


def write_imagenet16(folder: Path) -> list[Path]:
    """Ten batches of four images with labels on both sides of the first 120."""
    paths = []
    for number in range(1, 11):
        labels = [1, 120, 121, 1000] if number < 10 else [500, 600, 700, number]
        batch = {"data": rows(pixels(4, 16, number)), "labels": labels, "mean": np.zeros(768)}
        paths.append(folder / f"train_data_batch_{number}")
        paths[-1].write_bytes(pickle.dumps(batch, protocol=3))
    return paths


def test_cifar10_images_come_in_the_official_order(tmp_path):
    read = cifar10_images(write_cifar10(tmp_path / "cifar-10-python.tar.gz"))
    np.testing.assert_array_equal(read.images, np.concatenate([pixels(2, 32, n) for n in range(1, 6)]))
    assert read.labels.tolist() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert read.labels.dtype == np.int16
    assert read.source.startswith("CIFAR-10 training images")


def test_cifar100_takes_the_fine_labels(tmp_path):
    batch = python2_batch(rows(pixels(3, 32)), b"fine_labels", [99, 0, 7])
    path = write_archive(tmp_path / "cifar-100-python.tar.gz", "cifar-100-python", {"test": b"", "train": batch})
    read = cifar100_images(path)
    np.testing.assert_array_equal(read.images, pixels(3, 32))
    assert read.labels.tolist() == [99, 0, 7]


def test_imagenet16_120_is_the_first_120_classes(tmp_path):
    read = imagenet16_120_images(write_imagenet16(tmp_path))
    kept = [pixels(4, 16, n)[:2] for n in range(1, 10)] + [pixels(4, 16, 10)[3:]]
    np.testing.assert_array_equal(read.images, np.concatenate(kept))
    assert read.labels.tolist() == [0, 119] * 9 + [9]
    assert read.labels.dtype == np.int16


def test_labels_may_be_an_array(tmp_path):
    path = tmp_path / "train_data_batch_1"
    batch = {"data": rows(pixels(2, 16)), "labels": np.array([5, 130])}
    path.write_bytes(pickle.dumps(batch, protocol=4))
    assert imagenet16_120_images([path]).labels.tolist() == [4]


def batch(**entries) -> dict:
    return {"data": rows(pixels(2, 16)), "labels": [1, 2]} | entries


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "found list, expected a dictionary with the key data"),
        ({"images": 1}, "key data is missing; found images"),
        ({"data": batch()["data"]}, "key labels is missing; found data"),
        (batch(data=[1, 2]), "data: found list, expected uint8 (N, 768)"),
        (batch(data=np.zeros((2, 768))), "data: found float64 (2, 768), expected uint8 (N, 768)"),
        (batch(data=rows(pixels(2, 32))), "data: found uint8 (2, 3072), expected uint8 (N, 768)"),
        (batch(labels=[1, 2, 3]), "labels: found 3 in a list, expected 2 integers, one for each image"),
        (batch(labels=7), "labels: found int, expected 2 integers, one for each image"),
        (batch(labels=[0, "3"]), "labels: row 1: found '3', expected a class from 0 to 32767"),
        (batch(labels=[1.7, 2]), "labels: row 0: found 1.7, expected a class from 0 to 32767"),
        (batch(labels=[True, 2]), "labels: row 0: found True, expected a class from 0 to 32767"),
        (batch(labels=[2, -1]), "labels: row 1: found -1, expected a class from 0 to 32767"),
        (batch(labels=[2, [3]]), "labels: row 1: found list, expected a class from 0 to 32767"),
    ],
)
def test_a_wrong_batch_is_explained(tmp_path, content, message):
    path = tmp_path / "train_data_batch_1"
    path.write_bytes(pickle.dumps(content, protocol=4))
    assert refusal(imagenet16_120_images, [path]) == f"train_data_batch_1: {message}"


def test_a_malicious_batch_in_an_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attack = pickle.dumps(Calls(os.system, "touch harmed"), protocol=2)
    path = write_archive(tmp_path / "bad.tar.gz", "cifar-100-python", {"train": attack})
    assert refusal(cifar100_images, path).startswith(f"bad.tar.gz/train: refused to load {os.name}.system")
    assert os.listdir(tmp_path) == ["bad.tar.gz"]


def test_a_missing_member_is_named(tmp_path):
    content = python2_batch(rows(pixels(2, 32)), b"labels", [0, 1])
    path = write_archive(tmp_path / "part.tar.gz", "folder", {"data_batch_1": content})
    message = "part.tar.gz: member data_batch_2 is missing; found data_batch_1"
    assert refusal(cifar10_images, path) == message


def test_links_in_an_archive_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("folder/train")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(entry)
    assert refusal(cifar100_images, tmp_path / "link.tar.gz").startswith("link.tar.gz")


@pytest.mark.parametrize("content", [b"text", gzip.compress(b"no archive"), b""], ids=["text", "gzip", "empty"])
def test_a_file_that_is_no_archive_is_named(tmp_path, content):
    path = tmp_path / "file.tar.gz"
    path.write_bytes(content)
    assert refusal(cifar10_images, path).startswith("file.tar.gz: not a readable tar.gz archive: ")


def test_a_truncated_archive_is_named(tmp_path):
    path = write_cifar10(tmp_path / "file.tar.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    assert refusal(cifar10_images, path).startswith("file.tar.gz")
