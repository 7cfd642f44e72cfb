"""The message with which a function refuses its arguments."""

import pytest

from epsinas.errors import InputError


def refusal(function, *arguments, **named) -> str:
    """Return the message of the `InputError` that a function raises, which is one line."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **named)
    (line,) = str(caught.value).splitlines()
    return line
