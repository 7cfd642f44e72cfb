"""Untrusted tar archives: members are read as a stream, each once, and no size that an archive names is believed."""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, cast

from epsinas.errors import InputError, one_line

MEMBERS_LIMIT = 100_000
"""Members of an archive; the largest official one has 15,626."""

TOTAL_LIMIT = 1 << 30
"""Bytes of all members, unpacked, where the file has fewer; CIFAR's archives have up to 190 million."""

HEADER_LIMIT = 1 << 16
"""Bytes of a header that says more of the next member, such as its name; those of official archives have some 100."""


_EXTENDING = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


class _Header(tarfile.TarInfo):
    """A header that holds no more than it needs, of a file that is all there."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size < 0 or (self.type in _EXTENDING and self.size > HEADER_LIMIT):
            raise tarfile.ReadError(f"found a header of {self.size} bytes, expected 0 to {HEADER_LIMIT}")
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._proc_gnusparse_10()
        return super()._proc_member(archive)  # type: ignore[misc]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("found a file with holes, expected all of it")


def tar_members(
    path: Path, wanted: Callable[[str], bool], limit: int, mode: Literal["r|", "r|gz"] = "r|"
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield name, without its folder, and content of the files in a tar archive that are wanted.

    Args:
        path: of the archive.
        wanted: says of a name whether it is.
        limit: bytes of a wanted file.
        mode: of `tarfile.open`.

    Raises:
        InputError: the archive is damaged or too large, or a wanted name comes twice or is no plain file.
    """
    found, total, most = set(), 0, max(TOTAL_LIMIT, path.stat().st_size if path.is_file() else 0)
    try:
        with tarfile.open(path, mode, tarinfo=_Header) as archive:
            for number, member in enumerate(archive):
                total += member.size
                if number == MEMBERS_LIMIT or total > most:
                    limits = f"{MEMBERS_LIMIT} members and {most} bytes"
                    raise InputError(f"{path.name}: found more than {limits} in the archive, expected fewer")
                name = member.name.rpartition("/")[2]
                if not wanted(name) or member.isdir():
                    continue
                where = f"{path.name}/{name}"
                if name in found:
                    raise InputError(f"{where}: found two members of this name, expected one")
                if not member.isreg():
                    raise InputError(f"{where}: found a link or a device, expected a plain file")
                if member.size > limit:
                    raise InputError(f"{where}: found {member.size} bytes, expected at most {limit}")
                found.add(name)
                file = cast(BinaryIO, archive.extractfile(member))
                yield name, BytesIO(file.read())  # here, where it is known what an archive that is cut off raises
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        kind = mode.replace("r|gz", "tar.gz").replace("r|", "tar")
        raise InputError(f"{path.name}: not a readable {kind} archive: {one_line(error)}") from error
