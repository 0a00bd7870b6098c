"""``napari-fetal-iqa info``: what is in a sweep file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.sweep import SweepInfo, describe

FramesPerSweep = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Length of one sweep. By default a multiple of 140 frames is taken as sweeps of 140.",
    ),
]


def info(
    sweep: Annotated[
        Path,
        typer.Argument(help="A sweep file, a folder of frames or DICOM files, or a quoted glob."),
    ],
    frames_per_sweep: FramesPerSweep = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for other programs.")
    ] = False,
) -> None:
    """Show what is in a sweep: shape, spacing, sweeps, identity, format.

    Of a folder with several sweeps, each in turn; as JSON they are a list then.

    Example: napari-fetal-iqa info sweep.mha
    """
    sources = list(find_sweeps([sweep]))
    found, failed = [], []
    for source in sources:
        try:
            found.append(describe(read_source(source, frames_per_sweep)))
        except FetalIqaError as error:
            if len(sources) == 1:
                raise
            failed.append(source.name)
            echo(f"napari-fetal-iqa: {error}", err=True)
    if as_json:
        facts = [asdict(one) for one in found]
        typer.echo(json.dumps(facts[0] if len(sources) == 1 else facts, indent=2))
    else:
        typer.echo("\n\n".join(map(_in_words, found)))
    if failed:
        raise FetalIqaError(
            f"{len(failed)} of {len(sources)} sweeps could not be read: {', '.join(failed)}"
        )


def _in_words(found: SweepInfo) -> str:
    spacing = "not known, so nothing can be measured"
    if found.spacing_mm is not None:
        spacing = "{:.4g} x {:.4g} mm (along rows x columns)".format(*found.spacing_mm)
    lengths = {stop - start for start, stop in found.sweeps}
    of_length = f" of {lengths.pop()} frames" if len(lengths) == 1 else ""
    lines = {
        "name": shown(found.name),
        "format": shown(found.format),
        "frames": f"{found.frames} of {found.rows} rows x {found.columns} columns",
        "sweeps": f"{len(found.sweeps)}{of_length}",
        "spacing": spacing,
        "field of view": f"{found.field_of_view_fraction:.0%} of the frame",
        "identity": found.identity,
    }
    if found.spacing_note:
        lines["spacing"] = f"{spacing}; {found.spacing_note}"
    return "\n".join(f"{name + ':':15}{text}" for name, text in lines.items())
