import io

import numpy as np
import pytest

from epsinas.datasets.base import DATASETS
from epsinas.engines.images.batches import (
    SYNTHETIC,
    image_batch,
    normalise_images,
    read_batch,
    synthetic_batch,
)
from epsinas.errors import InputError
from epsinas.files.images import statistics_of

NAMES = ["cifar10", "cifar100", "ImageNet16-120"]


def numbered(count: int) -> np.ndarray:
    """Images 2x4 of which image i has the value i everywhere."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 4, 3))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("dataset", "red", "green", "blue"),
    [
        ("cifar10", (10 - 125.3) / 63.0, (20 - 123.0) / 62.1, (30 - 113.9) / 66.7),
        ("cifar100", (10 - 129.3) / 68.2, (20 - 124.1) / 65.4, (30 - 112.4) / 70.4),
        ("ImageNet16-120", (10 - 122.68) / 63.22, (20 - 116.66) / 61.26, (30 - 104.01) / 65.09),
    ],
)
def test_published_normalisation_by_hand(dataset, red, green, blue):
    images = np.full((1, 4, 8, 3), (10, 20, 30), np.uint8)
    batch = normalise_images(images, *DATASETS[dataset].normalisation)
    assert batch.dtype == np.float32
    assert batch.shape == (1, 3, 4, 8)
    np.testing.assert_allclose(batch[0, :, 3, 5], [red, green, blue], rtol=1e-6)


def test_other_datasets_are_normalised_by_their_own_mean_and_deviation():
    # Red is 0 and 4, green 10 and 30, blue always 7: a channel without deviation is only centred.
    images = np.array([[[[0, 10, 7], [4, 30, 7]]]], np.uint8)
    batch = normalise_images(images, *statistics_of(images))
    assert batch[0, :, 0].tolist() == [[-1, 1], [-1, 1], [0, 0]]


def test_pixels_keep_their_place():
    images = np.arange(2 * 4 * 8 * 3, dtype=np.uint8).reshape(2, 4, 8, 3)
    batch = normalise_images(images, *DATASETS["cifar10"].normalisation)
    assert batch.flags.c_contiguous
    assert batch[1, 2, 3, 5] == pytest.approx((images[1, 3, 5, 2] - 113.9) / 66.7, rel=1e-6)


@pytest.mark.parametrize("dataset", ["cifar10", "digits"])
def test_a_batch_is_a_seeded_choice_of_different_images(dataset):
    images = numbered(100)
    known = DATASETS[dataset].normalisation if dataset == "cifar10" else statistics_of(images)
    everything = normalise_images(images, *known)
    batch = image_batch(images, dataset, 40, rng(1))
    assert batch.shape == (40, 3, 2, 4)
    np.testing.assert_array_equal(batch, image_batch(images, dataset, 40, rng(1)))
    assert not np.array_equal(batch, image_batch(images, dataset, 40, rng(2)))
    # Other datasets are normalised by all their images, not by those in the batch.
    values = batch[:, 0, 0, 0].tolist()
    assert len(set(values)) == 40
    assert set(values) <= set(everything[:, 0, 0, 0].tolist())
    assert values != sorted(values)


def test_both_kinds_of_dataset_choose_the_same_images():
    chosen = [image_batch(numbered(50), dataset, 10, rng())[:, 0, 0, 0] for dataset in ("cifar10", "digits")]
    assert np.argsort(chosen[0]).tolist() == np.argsort(chosen[1]).tolist()


def test_a_batch_may_hold_all_images_and_no_more():
    batch = image_batch(numbered(10), "cifar10", 10, rng())
    expected = normalise_images(numbered(10), *DATASETS["cifar10"].normalisation)
    np.testing.assert_array_equal(np.sort(batch[:, 0, 0, 0]), expected[:, 0, 0, 0])
    with pytest.raises(InputError, match=r"^batch size: found 11, expected at most the 10 images of cifar10$"):
        image_batch(numbered(10), "cifar10", 11, rng())


@pytest.mark.parametrize("dataset", NAMES)
def test_real_images_are_centred(mirror, dataset):
    with np.load(mirror / f"{dataset}.npz") as archive:
        images = archive["images"]
    batch = image_batch(images, dataset, 512, rng())
    assert batch.shape == (512, 3, *images.shape[1:3])
    assert batch.mean(axis=(0, 2, 3)) == pytest.approx(np.zeros(3), abs=0.15)
    assert batch.std(axis=(0, 2, 3)) == pytest.approx(np.ones(3), abs=0.15)


def test_every_benchmark_dataset_has_its_normalisation():
    assert [dataset.name for dataset in DATASETS if dataset.normalisation] == sorted(NAMES, key=str.lower)


def test_grey_scale_by_hand():
    batch = synthetic_batch("grey_scale", (256, 3, 4, 8), rng())
    assert batch.shape == (256, 3, 4, 8)
    for image in (0, 1, 128, 255):
        assert (batch[image] == image / 256).all()


@pytest.mark.parametrize(
    ("kind", "low", "high", "mean", "deviation"),
    [
        ("random_normal", -np.inf, np.inf, 0, 1),
        ("random_uniform", -1, 1, 0, 3**-0.5),
        ("random_uniform_positive", 0, 1, 0.5, 12**-0.5),
    ],
)
def test_random_images_have_their_distribution(kind, low, high, mean, deviation):
    # 24,576 values: a standard error of at most 0.0064.
    batch = synthetic_batch(kind, (32, 3, 16, 16), rng(1))
    assert ((batch >= low) & (batch <= high)).all()
    assert batch.mean() == pytest.approx(mean, abs=0.03)
    assert batch.std() == pytest.approx(deviation, abs=0.02)
    np.testing.assert_array_equal(batch, synthetic_batch(kind, (32, 3, 16, 16), rng(1)))


@pytest.mark.parametrize("kind", SYNTHETIC)
def test_synthetic_images_are_contiguous_single_precision(kind):
    batch = synthetic_batch(kind, (2, 3, 4, 4), rng())
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError) as caught:
        synthetic_batch("noise", (2, 3, 4, 4), rng())
    assert str(caught.value) == (
        "synthetic data: found 'noise', expected one of "
        "grey_scale, random_normal, random_uniform, random_uniform_positive, pink_noise"
    )


def test_a_batch_is_read_back(tmp_path, batch):
    np.save(tmp_path / "batch.npy", batch)
    for path in (tmp_path / "batch.npy", str(tmp_path / "batch.npy")):
        np.testing.assert_array_equal(read_batch(path), batch)


def npy(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, images=array)
    return buffer.getvalue()


ZEROS = np.zeros((2, 3, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(ZEROS.astype(np.float64)), "found float64, expected an array of float32"),
        (npy(ZEROS.astype(np.uint8)), "found uint8, expected an array of float32"),
        (npy(ZEROS.astype(">f4")), "found >f4, expected an array of float32"),
        (npz(ZEROS), "not a readable .npy file: the magic string is not correct"),
        (npy(ZEROS[0]), "found shape (3, 4, 4), expected (images, channels, height, width), none 0"),
        (npy(ZEROS[:0]), "found shape (0, 3, 4, 4), expected (images, channels, height, width), none 0"),
        (npy(ZEROS[..., :3]), "found 4x3 pixels in the last two dimensions, expected multiples of 4"),
        (npy(ZEROS + np.nan), "image 0 has entries that are not finite (NaN or infinite)"),
        (
            npy(np.array([{}]), allow_pickle=True),
            "not a readable .npy file: its header announces other",
        ),
        (npy(ZEROS)[:200], "not a readable .npy file: "),
        (npz(ZEROS)[:100], "not a readable .npy file: "),
        (b"architecture,score\n", "not a readable .npy file: "),
        (b"", "not a readable .npy file: "),
    ],
)
def test_a_bad_file_is_refused_by_name_in_one_line(tmp_path, content, message):
    path = tmp_path / "batch.npy"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_batch(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    path = tmp_path / "absent.npy"
    with pytest.raises(InputError) as caught:
        read_batch(path)
    assert str(caught.value) == f"{path}: no such file, expected a batch of images (.npy)"
    with pytest.raises(InputError, match=r"not a readable .npy file"):
        read_batch(tmp_path)
