"""The one error that a user's mistake raises."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message is a single line that names the file, key, row or argument, what was found and what was
    expected. The command line and the workflow's scripts print it without a stack trace and exit with 2.
    """
