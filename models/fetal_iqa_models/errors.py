"""Errors that a user can cause; each message is one line: what, where, what to do."""

from collections.abc import Iterable
from pathlib import Path

_LONGEST_NAME = 100


class ModelError(Exception):
    """A model folder is missing, damaged, foreign, or of the wrong task.

    Names of files and tensors are in the messages, and may be a stranger's: what would move the
    cursor or begin a line is a space here.

    Parameters
    ----------
    message : str
    in_window : str, optional
        The message for who has no terminal, where the message speaks of commands or options.
    """

    def __init__(self, message: str = "", in_window: str | None = None) -> None:
        super().__init__(printable(message))
        self.in_window = printable(message if in_window is None else in_window)


class WeightsError(ModelError):
    """A checkpoint of pretrained weights is missing, damaged, or not what it should be."""


class StoreError(WeightsError):
    """The store of pretrained weights cannot be written."""


class DeviceError(ModelError):
    """The requested device is not there, or has no memory for a single frame."""


class NotInstalledError(ModelError):
    """The light installation leaves out what this needs."""


def unreadable(path: Path) -> WeightsError:
    """Describe in one line, as an error, that a weights file is damaged."""
    return WeightsError(f"{path}: not a readable weights file, download it again")


def printable(text: str) -> str:
    """Return a text with a space in place of every character that is not shown."""
    return "".join(char if char.isprintable() else " " for char in text)


def shown(names: Iterable[str]) -> str:
    """Return the first three of some names, which may be a stranger's, for a message."""
    every = list(names)
    more = f" and {len(every) - 3} more" if len(every) > 3 else ""
    return ", ".join(map(_short, every[:3])) + more


def _short(name: str) -> str:
    plain = " ".join(printable(name[: _LONGEST_NAME + 1]).split())
    return plain if len(name) <= _LONGEST_NAME else f"{plain[:_LONGEST_NAME]}…"
