"""``napari-fetal-iqa fetch-dicom``: a study from an archive."""

from pathlib import Path
from typing import Annotated

import typer

from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.counted import counted

AllowHttp = Annotated[
    bool,
    typer.Option("--allow-http", help="Go without TLS: only where the network is encrypted."),
]


def fetch_dicom(
    url: Annotated[
        str,
        typer.Argument(help="Root of the archive's DICOMweb service: https://host/dicom-web."),
    ],
    study: Annotated[str, typer.Option(help="Study instance UID.")],
    out: Annotated[Path, typer.Option(help="Folder for the images: a new or an empty one.")],
    allow_http: AllowHttp = False,
) -> None:
    """Fetch the ultrasound images of a study from an archive, to be opened as one sweep volume.

    What else the study holds (reports, segmentations, pictures) goes into OUT/other, where it is
    not taken for frames. A token for the archive is read from FETAL_IQA_DICOMWEB_TOKEN, a
    password from .netrc; certificates of your clinic's own authority from REQUESTS_CA_BUNDLE.

    Example: napari-fetal-iqa fetch-dicom https://pacs/dicom-web --study 1.2.3 --out case
    """
    from napari_fetal_iqa.dicom_out.dicomweb import fetch_study

    images, others = fetch_study(url, study, out, allow_http)
    echo(f"{counted(images, 'ultrasound image')} in {out}")
    if others:
        echo(f"{counted(others, 'other object')} in {out / 'other'}")
