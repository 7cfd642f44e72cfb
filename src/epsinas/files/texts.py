"""Texts: `{corpus}/{train,valid,test}.txt`, tokens separated by white space, one sentence a line."""

from collections.abc import Iterator
from pathlib import Path

from epsinas.errors import InputError, one_line


def sentences(path: str | Path) -> Iterator[list[str]]:
    """Yield the words of each line of a text, UTF-8.

    Raises:
        InputError: the file cannot be read, or holds no words.
    """
    empty = True
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                words = line.split()
                empty = empty and not words
                yield words
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable text file: {one_line(error)}") from None
    if empty:
        raise InputError(f"{path}: found no words, expected tokens separated by white space")
