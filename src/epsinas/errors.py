"""The one error that a user's mistake raises, and how what other people's files hold is shown in its message."""

import re

LONGEST_MESSAGE = 2000
"""Characters of a message; the text of a file that found its way into one has an end."""

_ADVICE = re.compile(r"This file can still be loaded|To allow loading")
"""With these PyTorch and NumPy begin to explain how to run what an untrusted file says."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message is a single line that names the file, key, row or argument, what was found and what was
    expected. The command line and the workflow's scripts print it without a stack trace and exit with 2.
    Control characters, which would end the line or move the cursor, stand in it as their escapes.

    Example:
        >>> from epsinas import epsilon
        >>> epsilon([1.0, 2.0], [1.0])
        Traceback (most recent call last):
        epsinas.errors.InputError: outputs: found 2 and 1 entries, expected as many
    """

    def __init__(self, message: object):
        super().__init__(_printable(str(message), LONGEST_MESSAGE))


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's message, or its kind where it has none, as one line of at most `limit` characters."""
    first = error.args[0] if len(error.args) == 1 else ""
    if isinstance(error, KeyError) or not isinstance(first, (str, BaseException)):
        text = shown(first)  # which may take for ever to print
    else:
        text = _ADVICE.split(str(error)[: 20 * limit])[0]
    return _printable(" ".join(text.split()), limit) or type(error).__name__


def shown(value: object, limit: int = 60) -> str:
    """Return how a value that comes from a file is shown in a message: in short, and nothing within containers.

    Example:
        >>> shown("two\\nlines"), shown(1.5), shown([[1, 2], 3]), shown(10**5000)
        ("'two\\\\nlines'", '1.5', 'list', 'an integer of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (str, bytes)):
        return _printable(repr(value[:limit]), limit + 10) + ("..." if len(value) > limit else "")
    return str(value) if value is None or isinstance(value, (int, float)) else type(value).__name__


def _printable(text: str, limit: int) -> str:
    """Return a text with spaces for line breaks and tabs, escapes for other control characters, and an end."""
    line = "".join(
        character if character.isprintable() else " " if character in "\n\r\t" else ascii(character)[1:-1]
        for character in text[: limit + 1]
    )
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
