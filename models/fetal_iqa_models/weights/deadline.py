"""Wait for an answer for so long and no longer, whatever the other side does."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")


class NoAnswerError(Exception):
    """An answer was not complete in time."""


def within(
    seconds: float, ask: Callable[[], _T], undo: Callable[[_T], object] = lambda _: None
) -> _T:
    """Return an answer that must be complete in time.

    A connection's own time-out is for two bytes in a row, so that a server which drips never
    exceeds it. Who asks too long is left to itself, in a thread that ends with the process.

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

    def run() -> None:
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

    threading.Thread(target=run, name="look-up", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.cancel():
            raise NoAnswerError from None
        return answer.result()  # its own time-out, or it came at the last moment
    except BaseException:  # stopped by hand
        answer.cancel()
        raise
