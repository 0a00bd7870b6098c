"""``napari-fetal-iqa info``: what is in a sweep file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_fetal_iqa.io import describe, read_sweep

FramesPerSweep = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Length of one sweep. By default a multiple of 140 frames is taken as sweeps of 140.",
    ),
]


def info(
    sweep: Annotated[Path, typer.Argument(help="A sweep file, or a folder of frames.")],
    frames_per_sweep: FramesPerSweep = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for other programs.")
    ] = False,
) -> None:
    """Say what is in a sweep: shape, spacing, sweeps, identity, format.

    Example: napari-fetal-iqa info sweep.mha
    """
    found = describe(read_sweep(sweep, frames_per_sweep=frames_per_sweep))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        typer.echo(str(found))
