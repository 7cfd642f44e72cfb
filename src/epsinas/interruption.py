"""What a signal does to a program of this package: it ends at once, with one line."""

import os
import signal
import sys
from contextlib import suppress

from epsinas.files.whole import discard_unfinished


def end_on_signals() -> None:
    """Let SIGINT (Ctrl-C), SIGTERM and SIGHUP end the program at once, with one line on standard error.

    The exit code is 128 and the signal's number, and files that are half written are removed. What is ignored, as by
    `nohup`, stays ignored. An exception would end the program as well, but for one that arises where none can be
    raised, or in an import that takes it for a failure of its own. Workers see that the program has ended, and do so,
    too (`epsinas.scoring`).
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)
    # Loky's helper would say on standard error that it tidied up after a program that has ended.
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")


def _end(number: int, frame: object) -> None:
    discard_unfinished()
    said = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    with suppress(Exception):  # such as that the terminal is gone, or that the signal came while something was printed
        sys.stderr.flush()
    with suppress(Exception):
        os.write(sys.stderr.fileno(), f"epsinas: {said}\n".encode())
    os._exit(128 + number)
