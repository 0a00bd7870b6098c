"""``napari-fetal-iqa export-dicom``: a case as DICOM objects for an archive."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from napari_fetal_iqa.cli.analyse import ClsModel, Device, EngineName, SegModel, given_or_in_use
from napari_fetal_iqa.cli.case_options import (
    Chart,
    Edd,
    Examined,
    Lmp,
    Reviewer,
    Store,
    Weeks,
    check_reviewer,
    dating_of,
    dating_of_case,
    opened_store,
)
from napari_fetal_iqa.cli.fetch_dicom import AllowHttp
from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.cli.info import FramesPerSweep
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.growth.charts import find_chart
from napari_fetal_iqa.storage.settings import load_settings, suggested_reviewer


def export_dicom(
    case: Annotated[
        list[Path],
        typer.Argument(
            help="The sweeps of one case: one file or folder that holds all, or one each."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the objects: a new or an empty one.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Store them in this archive as well: the root of its DICOMweb service."),
    ] = None,
    weeks: Weeks = None,
    lmp: Lmp = None,
    edd: Edd = None,
    examined: Examined = None,
    chart: Chart = "intergrowth",
    reviewer: Reviewer = None,
    store: Store = None,
    allow_http: AllowHttp = False,
    cls: ClsModel = None,
    seg: SegModel = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    frames_per_sweep: FramesPerSweep = None,
) -> None:
    """Write what was measured in a case as DICOM: segmentation, report, and a picture.

    The segmentation holds the outlines that count, a reviewer's before the models'; the report (TID
    5000, OB-GYN ultrasound) the circumference, the frames that it comes from, and, with an age by
    dates, the growth rank; the picture (a secondary capture) the frame that is shown, for viewers
    that know neither. They belong to the patient and study of the source where that is DICOM. Of
    another format images without a patient are made as well, with all their pixels: names that are
    burned into them go along, so make a copy with napari-fetal-iqa anonymise first.

    Example: napari-fetal-iqa export-dicom case.dcm --out results --weeks 27w3d
    """
    from napari_fetal_iqa.cli.case import review_case
    from napari_fetal_iqa.dicom_out.dicomweb import check_address
    from napari_fetal_iqa.dicom_out.dicomweb import store as store_in_archive
    from napari_fetal_iqa.dicom_out.new_folder import check_folder
    from napari_fetal_iqa.dicom_out.objects import objects_of_case
    from napari_fetal_iqa.review.examination.examination import Examination
    from napari_fetal_iqa.review.examination.known_errors import error_of_case

    if out is None and to is None:
        raise typer.BadParameter("say where to: --out FOLDER, --to URL, or both")
    dating = dating_of(weeks, lmp, edd, examined)
    if to is not None:
        check_address(to, allow_http)
    if out is not None:
        check_folder(out)
    who = reviewer or load_settings().reviewer or suggested_reviewer()
    models = given_or_in_use(cls, "cls"), given_or_in_use(seg, "seg")
    sources = list(find_sweeps(case))
    with opened_store(store) as opened:
        volumes = review_case(sources, opened, who, models, device, engine, frames_per_sweep)
        check_reviewer(opened, volumes, who)
        try:
            examination = Examination(volumes, error_of_case(volumes))
        except ValueError as error:
            raise FetalIqaError(f"{error}; give each sweep of the case once") from error
        dating = dating_of_case(dating, volumes)
        made = objects_of_case(
            sources, examination, who, datetime.now(), dating, find_chart("AC", chart)
        )
    if made.findings is None:
        echo("no frame can be measured in mm, so that there is no report and no picture", err=True)
    else:
        for note in made.findings.notes:
            echo(note, err=True)
        echo(f"AC {made.findings.circumference_mm:.1f} mm")
        if made.findings.standing is not None:
            echo(f"{made.findings.standing} by dates ({chart})")
    if out is not None:
        made.write(out)
        echo(f"{counted(len(made.objects), 'object')} in {out}: {', '.join(made.objects)}")
    if to is not None:
        store_in_archive(to, made.objects, allow_http)
        echo(f"{counted(len(made.objects), 'object')} stored in the archive")
