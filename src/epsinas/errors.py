"""The one error that a user's mistake raises."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message is a single line that names the file, key, row or argument, what was found and what was
    expected. The command line and the workflow's scripts print it without a stack trace and exit with 2.

    Example:
        >>> from epsinas import epsilon
        >>> epsilon([1.0, 2.0], [1.0])
        Traceback (most recent call last):
        epsinas.errors.InputError: outputs: found 2 and 1 entries, expected as many
    """


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return an error's message, or its kind where it has none, as one line of at most `limit` characters."""
    return (" ".join(str(error).split()) or type(error).__name__)[:limit]
