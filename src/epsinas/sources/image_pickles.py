"""Images in pickles: the batches of CIFAR-10, CIFAR-100 and ImageNet16.

The files are pickles, hence untrusted: they are read by a loader that admits only the types that the format needs.
Everything raises `InputError`, naming the file and what in it is not as expected.
"""

from pathlib import Path
from typing import Any

import numpy as np

from epsinas.errors import InputError, shown
from epsinas.files.images import Images
from epsinas.sources.archives import tar_members
from epsinas.sources.pickles import LARGEST, entry, load


def read_cifar(path: Path, names: list[str], labels: str, source: str) -> Images:
    """Read members of a tar.gz of CIFAR, in the order of `names`.

    Args:
        path: of the archive.
        names: of the members, without their folder.
        labels: the key of the labels in each of them.
        source: what the images are.

    Raises:
        InputError: the archive or a member is not as described.
    """
    batches = {}
    for name, file in tar_members(path, names.__contains__, LARGEST, "r|gz"):
        where = f"{path.name}/{name}"
        batches[name] = _batch(load(file, name=where), labels, 32, where)
    for name in names:
        if name not in batches:
            raise InputError(f"{path.name}: member {name} is missing; found {', '.join(batches) or 'none'}")
    images, classes = zip(*(batches[name] for name in names), strict=True)
    return Images(np.concatenate(images), np.concatenate(classes), source)


def read_batch_pickle(path: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Read a pickle of ImageNet16: images uint8 (N, side, side, 3) and labels int16 (N,), as they are.

    Raises:
        InputError: the file is not as described.
    """
    return _batch(load(path, name=path.name), "labels", side, path.name)


def _batch(batch: Any, label_key: str, side: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, side, side, 3) and labels (N,) of a batch, whose rows are red, green, blue planes."""
    data, labels = (entry(batch, key, where) for key in ("data", label_key))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * side * side,):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{where}: data: found {found}, expected uint8 (N, {3 * side * side})")
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        labels = labels.tolist()
    if not isinstance(labels, list) or len(labels) != len(data):
        found = f"{len(labels)} in a list" if isinstance(labels, list) else type(labels).__name__
        raise InputError(f"{where}: {label_key}: found {found}, expected {len(data)} integers, one for each image")
    for row, label in enumerate(labels):
        if type(label) is not int or not 0 <= label <= np.iinfo(np.int16).max:
            raise InputError(f"{where}: {label_key}: row {row}: found {shown(label)}, expected a class from 0 to 32767")
    images = np.asarray(data).reshape(-1, 3, side, side).transpose(0, 2, 3, 1)
    return images, np.array(labels, dtype=np.int16)
