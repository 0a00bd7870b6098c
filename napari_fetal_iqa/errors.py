"""Errors that a user can cause; each message is one line: what, where, what to do."""


class FetalIqaError(Exception):
    """Base of the errors that the terminal and the window show as one plain line.

    Parameters
    ----------
    message : str
    in_window : str, optional
        The message for who has no terminal, where the message speaks of commands or options.
    """

    def __init__(self, message: str = "", in_window: str | None = None) -> None:
        super().__init__(message)
        self.in_window = message if in_window is None else in_window


def words_in_window(error: BaseException) -> str:
    """Return what an error says to who has no terminal; that of another package, what it says."""
    return str(getattr(error, "in_window", error))


class SweepError(FetalIqaError):
    """A sweep file cannot be read: it is missing, damaged, or not an ultrasound volume."""


class StoreError(FetalIqaError):
    """A corrections store cannot be opened, read or written."""


class StoreUnwritableError(StoreError):
    """A corrections store cannot be written now: corrections are kept, and written later."""


class StoreBusyError(StoreUnwritableError):
    """Another program has locked a corrections store at this moment, which seldom lasts."""


class StoreLostError(StoreUnwritableError):
    """The file of an open store was moved, replaced, cut or damaged: corrections are kept."""


class AnalysisError(FetalIqaError):
    """An analysis cannot be made, stored or written."""
