"""What the command prints: lines in which nobody's file name steers the terminal.

Those are read in a terminal, or in the window that runs the command for people who have none.
"""

import typer

from napari_fetal_iqa.foreign_text import shown

_read_in = {"window": False}


def read_in_window(yes: bool) -> None:
    """Say whether what is printed from now on is read in the window."""
    _read_in["window"] = yes


def to_reader(in_terminal: str, in_window: str) -> str:
    """Choose between the words for a terminal, which may name commands, and for the window."""
    return in_window if _read_in["window"] else in_terminal


def echo(message: object, err: bool = False) -> None:
    """Print one line, to standard output or to standard error; see :func:`shown`."""
    typer.echo(shown(message), err=err)
