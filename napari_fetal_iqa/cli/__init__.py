"""The command ``napari-fetal-iqa``."""

import sys
from typing import Annotated

import typer

from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.installation import naming_what_is_left_out
from napari_fetal_iqa.cli.lazy_group import LazyGroup
from napari_fetal_iqa.cli.terminal import read_in_window, to_reader
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.foreign_text import shown

app = typer.Typer(
    name="napari-fetal-iqa",
    cls=LazyGroup,
    help=(
        "Find, check and measure the fetal abdomen in blind ultrasound sweeps.\n\n"
        "Research software, not a medical device. Start with: napari-fetal-iqa demo"
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _begin(
    for_window: Annotated[bool, typer.Option("--for-window", hidden=True)] = False,
) -> None:
    read_in_window(for_window)


def main() -> None:
    """Run the command; an error that a user can cause is one line and exit code 1."""
    try:
        with naming_what_is_left_out():
            app()
    except (FetalIqaError, ModelError) as error:
        said = to_reader(str(error), error.in_window)
        typer.echo(f"napari-fetal-iqa: {shown(said)}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("napari-fetal-iqa: stopped", err=True)
        sys.exit(130)
