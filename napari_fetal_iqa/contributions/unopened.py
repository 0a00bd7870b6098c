"""What could not be opened, told to the window where there is one.

napari asks our reader from deep within; what the reader raises ends in a dialog, a notification and
a traceback in the terminal (napari 0.9.2). So where somebody opens a file in the window, the reader
says here what is wrong, and returns to napari that there is nothing to show. Scripts get the error.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_asked: ContextVar[list[str] | None] = ContextVar("unopened", default=None)
_waiting: list[str] = []
_unnoted: list[str] = []
_LOOK_MS = 100
_NAPARI = ("napari", "napari.exe", "napari-script.py")


@contextmanager
def asked_by_window() -> Iterator[list[str]]:
    """Open a block in which the window opens files; collects what is wrong with them."""
    messages: list[str] = []
    token = _asked.set(messages)
    try:
        yield messages
    finally:
        _asked.reset(token)


def tell(message: str) -> bool:
    """Tell what is wrong with a file, if somebody at a window is there to see it.

    Returns
    -------
    bool
        Whether the message will be shown: the reader then raises nothing.
    """
    messages = _asked.get()
    if messages is not None:
        messages.append(message)
        return True
    if not _on_the_command_line():
        return False
    _waiting.append(message)
    _unnoted.append(message)
    _notify_soon()
    return True


def take_waiting() -> list[str]:
    """Return, once, what the command line could not open before there was a widget to show it."""
    taken, _waiting[:] = list(_waiting), []
    _unnoted.clear()
    return taken


def _on_the_command_line() -> bool:
    """Whether napari's own command opens the files that were given to it: before its loop runs."""
    command = Path(sys.argv[0])
    if command.name not in _NAPARI and command.parts[-2:] != ("napari", "__main__.py"):
        return False
    return not _loop_runs()


def _loop_runs() -> bool:
    from qtpy.QtCore import QThread

    thread = QThread.currentThread()
    return thread is not None and thread.loopLevel() > 0


def _notify_soon() -> None:
    from qtpy.QtCore import QTimer

    QTimer.singleShot(_LOOK_MS, _notify)


def _notify() -> None:
    """Show what no widget of ours has shown, as napari shows notes: without a traceback.

    A note goes after seconds, so the messages wait on for the widget, should it be opened later.
    """
    from napari.utils.notifications import show_error

    if not _loop_runs():  # the widget that the command line asked for may still be made
        _notify_soon()
        return
    noted, _unnoted[:] = list(_unnoted), []
    for message in noted:
        show_error(message)
