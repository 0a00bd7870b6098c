"""``napari-fetal-iqa anonymise``: a de-identified copy of a sweep."""

from pathlib import Path
from typing import Annotated

import typer

from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import SweepError

MOST_AREAS = 20
"""Blacked areas that are listed one by one."""


def anonymise(
    sweep: Annotated[
        Path,
        typer.Argument(help="A sweep file, or a folder of DICOM files or frames."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The copy. Its ending chooses the format: .mha, .nrrd, .nii.gz, .dcm (of one "
            "DICOM file), or none for a folder of DICOM files or PNG frames."
        ),
    ],
    preview: Annotated[
        Path | None,
        typer.Option(help="Write a PNG of what is left, with what was blacked in colour."),
    ] = None,
    keep_pixels: Annotated[
        bool,
        typer.Option(
            "--keep-pixels", help="Keep all pixels: for pictures in which you saw no writing."
        ),
    ] = False,
    salt_file: Annotated[
        Path | None,
        typer.Option(
            help="Keep the secret that makes new UIDs of old ones here, so that copies of several "
            "runs belong together. Whoever has it can find out who is who."
        ),
    ] = None,
) -> None:
    """Write a copy of a sweep that does not say whose it is.

    Pixels beside the fan are blacked, and so is writing over the fan that never changes; without
    a fan nothing is written. Of a DICOM header only what describes the picture is kept, stricter
    than the standard's basic profile; of other formats only pixels, spacing and sweeps. Look at
    the preview before you pass a copy on: in a still, writing over the fan cannot be told from
    tissue, and a face or a rare finding is no writing.

    Example: napari-fetal-iqa anonymise sweep.dcm --out copy.dcm --preview copy.png
    """
    from napari_fetal_iqa.anonymising.copy import check_preview, write_copy, write_preview
    from napari_fetal_iqa.anonymising.pseudonyms import kept_pseudonyms, new_pseudonyms

    if keep_pixels and preview:
        raise typer.BadParameter("with --keep-pixels nothing is blacked; leave out --preview")
    if preview:
        check_preview(preview)
    sources = list(find_sweeps([sweep]))
    if len(sources) > 1:
        raise SweepError(
            f"expected one sweep, found {len(sources)} in the folder; name one of its files"
        )
    pseudonyms = kept_pseudonyms(salt_file) if salt_file else new_pseudonyms()
    copy = write_copy(sources[0], out, pseudonyms, keep_pixels)
    if len(sources[0].path.stem) > 2 and sources[0].path.stem.lower() in str(out).lower():
        echo(
            "napari-fetal-iqa: the name of the copy holds the name of the source; if that names "
            "somebody, rename the copy",
            err=True,
        )
    echo(f"{out}: {counted(len(copy.sweep), 'frame')} in {counted(copy.files, 'file')}")
    if copy.cut is None:
        echo("all pixels kept: look at every frame for writing")
        return
    if preview:
        write_preview(preview, copy.cut)
    if not copy.cut.over_fan:
        echo(
            "napari-fetal-iqa: in a still, writing over the fan cannot be told from tissue: none "
            "of it was blacked; look at every frame before you pass the copy on",
            err=True,
        )
    echo(f"blacked: {counted(len(copy.areas), 'bright area')}")
    for area in copy.areas[:MOST_AREAS]:
        echo(f"  {area}")
    if (more := len(copy.areas) - MOST_AREAS) > 0:
        echo(f"  and {more} more")
