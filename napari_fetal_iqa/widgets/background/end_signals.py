"""A terminal or the machine ends the program: what is unsaved is rescued, and it ends cleanly."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer

_NAMES = ("SIGTERM", "SIGINT", "SIGHUP")
_LOOK_MS = 200
"""Python's handlers run between two steps of Python, of which Qt's loop does none by itself."""


class EndSignals:
    """Shuts down at the signals that end a program, until :meth:`remove`.

    Not in the middle of something, as a handler would, but in the loop of Qt. What is ignored (as
    by ``nohup``) stays ignored; in a thread other than the main one nothing is done.

    Parameters
    ----------
    shut_down : callable
        Called first; then the program quits.
    parent : QObject
    """

    def __init__(self, shut_down: Callable[[], None], parent: QObject) -> None:
        self._shut_down = shut_down
        self._before: dict[int, Any] = {}
        self._came_in = False
        self._watching = True
        self._quitting = False
        self._timer = QTimer(parent)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        application = QCoreApplication.instance()
        if application is None or threading.current_thread() is not threading.main_thread():
            return
        application.aboutToQuit.connect(self._note_quit)
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
                self._before[number] = signal.signal(number, self._came)
        self._timer.start()

    def _note_quit(self) -> None:
        self._quitting = True

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self._watching:
            self._came_in = True
            return
        # napari 0.9.2 hands an interrupt on once its loop has ended; others kept hold of this one
        before = self._before.get(number)
        if self._quitting:
            return
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _look(self) -> None:
        if self._came_in:
            self._shut_down()
            _quit()

    def remove(self) -> None:
        """Leave the signals to those who had them before."""
        self._watching = False
        self._timer.stop()
        self._shut_down = _nothing
        application = QCoreApplication.instance()
        if self._before and application is not None:
            application.aboutToQuit.disconnect(self._note_quit)
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._came:
                signal.signal(number, handler)


def _quit() -> None:
    application = QCoreApplication.instance()
    if application is not None:
        application.quit()


def _nothing() -> None:
    """Do nothing."""
