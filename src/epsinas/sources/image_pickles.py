"""Images in pickles: the batches of CIFAR-10, CIFAR-100 and ImageNet16.

The files are pickles, hence untrusted: they are read by a loader that admits only the types that the format needs.
Everything raises `InputError`, naming the file and what in it is not as expected.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from epsinas.errors import InputError, one_line
from epsinas.files.images import Images
from epsinas.sources.pickles import entry, load


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
    batches = {name: _batch(batch, labels, 32, f"{path.name}/{name}") for name, batch in _members(path, names)}
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


def _members(path: Path, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the wanted members of a tar.gz of pickles, unpickled straight from the stream."""
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in names and (file := archive.extractfile(member)):
                    yield name, load(cast(BinaryIO, file), name=f"{path.name}/{name}")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path.name}: not a readable tar.gz archive: {one_line(error)}") from error


def _batch(batch: Any, label_key: str, side: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, side, side, 3) and labels (N,) of a batch, whose rows are red, green, blue planes."""
    data, labels = (entry(batch, key, where) for key in ("data", label_key))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * side * side,):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{where}: data: found {found}, expected uint8 (N, {3 * side * side})")
    try:
        labels = np.array(labels, dtype=np.int16)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: {label_key}: {one_line(error)}, expected integers") from error
    if labels.shape != (len(data),):
        raise InputError(f"{where}: {label_key}: found shape {labels.shape}, expected ({len(data)},)")
    return data.reshape(-1, 3, side, side).transpose(0, 2, 3, 1), labels
