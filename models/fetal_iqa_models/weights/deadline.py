"""Wait for an answer for so long and no longer, whatever the other side does."""

import ctypes
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")

_CPU_S = 3.0
"""Of the asking thread: a look-up takes some 0.1 s, but endless parts of an answer are parsed
without an end (a hub that says "100 Continue" for ever). Windows does not tell it: there the
deadline counts alone."""
_LOOK_S = 0.2


class NoAnswerError(Exception):
    """An answer was not complete in time."""


def within(
    seconds: float, ask: Callable[[], _T], undo: Callable[[_T], object] = lambda _: None
) -> _T:
    """Return an answer that must be complete in time.

    A connection's own time-out is for two bytes in a row, so that a server which drips never
    exceeds it. Who asks too long is left to itself, in a thread that ends with the process; who
    computes too long on what comes, then or later, is stopped.

    Parameters
    ----------
    seconds : float
    ask : callable
        Is called in a thread of its own; its errors are raised here.
    undo : callable, optional
        Is called with an answer that came too late.

    Raises
    ------
    NoAnswerError
    """
    answer: Future[_T] = Future()
    clock: list[int] = []

    def run() -> None:
        if hasattr(time, "pthread_getcpuclockid"):
            clock.append(time.pthread_getcpuclockid(threading.get_ident()))
        try:
            found = ask()
        except BaseException as error:
            with suppress(InvalidStateError):
                answer.set_exception(error)
            return
        try:
            answer.set_result(found)
        except InvalidStateError:
            undo(found)

    thread = threading.Thread(target=run, name="look-up", daemon=True)
    thread.start()
    until = time.monotonic() + seconds
    try:
        while True:
            left = until - time.monotonic()
            try:
                return answer.result(min(max(left, 0), _LOOK_S))
            except TimeoutError:
                if answer.done():
                    return answer.result()  # its own time-out, or it came at the last moment
                if left > 0 and _computed(clock) < _CPU_S:
                    continue
                if answer.cancel():
                    raise NoAnswerError from None
                return answer.result()
    except BaseException:  # no answer, or stopped by hand
        answer.cancel()
        if thread.is_alive():
            threading.Thread(target=_guard, args=(thread, clock), daemon=True).start()
        raise


def _guard(thread: threading.Thread, clock: list[int]) -> None:
    """Stop a thread, whose answer nobody waits for, once it has computed too long."""
    while thread.is_alive():
        if _computed(clock) >= _CPU_S:
            _stop(thread)
        thread.join(1)


def _computed(clock: list[int]) -> float:
    """Return the CPU seconds of a thread; 0 where it cannot be told, or has ended."""
    with suppress(OSError):
        return time.clock_gettime(clock[0]) if clock else 0.0
    return 0.0


def _stop(thread: threading.Thread) -> None:
    """Let a thread end at its next step in Python; to close its socket could close another's."""
    if thread.ident is not None:
        of = ctypes.c_ulong(thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(of, ctypes.py_object(SystemExit))
