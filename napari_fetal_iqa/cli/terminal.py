"""What the command prints: lines in which nobody's file name steers the terminal."""

import typer

from napari_fetal_iqa.foreign_text import shown


def echo(message: object, err: bool = False) -> None:
    """Print one line, to standard output or to standard error; see :func:`shown`."""
    typer.echo(shown(message), err=err)
