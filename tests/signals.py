"""Processes that heed signals, wherever the tests run."""

import signal


def heeding_signals() -> None:
    """Undo what a shell or nohup does to processes in the background, which ignore interruptions."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)
