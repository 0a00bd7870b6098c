"""``napari-fetal-iqa report``: the page of a case."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

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
from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.cli.info import FramesPerSweep
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.storage.settings import load_settings, suggested_reviewer


def report(
    case: Annotated[
        list[Path],
        typer.Argument(help="The sweeps of one case: one file that holds all, or one a sweep."),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .pdf, .html, .json or .csv.")],
    weeks: Weeks = None,
    lmp: Lmp = None,
    edd: Edd = None,
    examined: Examined = None,
    chart: Chart = "intergrowth",
    name: Annotated[
        str, typer.Option(help="Whose report it is: printed on this page and kept nowhere.")
    ] = "",
    paper: Annotated[Literal["a4", "letter"], typer.Option(help="Of a PDF.")] = "a4",
    reviewer: Reviewer = None,
    store: Store = None,
    cls: ClsModel = None,
    seg: SegModel = None,
    device: Device = "auto",
    engine: EngineName = "auto",
    frames_per_sweep: FramesPerSweep = None,
) -> None:
    """Write what was measured in a case: one page to sign, or the same as data.

    The sweeps are analysed where these models have not done so yet, and the reviewer's corrections
    overrule the models. No patient's name, file name or tag gets into the page: a sweep is named by
    its content. Without an age by dates there is no centile, for an age that was computed from the
    circumference would say nothing about it.

    Example: napari-fetal-iqa report case_17.mha --out case_17.pdf --weeks 27w3d
    """
    dating = dating_of(weeks, lmp, edd, examined)
    from napari_fetal_iqa.report.files import ENDINGS, check_place, write_report

    if out.suffix.lower() not in ENDINGS:
        raise typer.BadParameter(
            f"{out.name}: expected a name that ends in {', '.join(ENDINGS)}", param_hint="--out"
        )
    check_place(out)

    from napari_fetal_iqa.cli.case import review_case
    from napari_fetal_iqa.report.content import Entered, report_content
    from napari_fetal_iqa.review.examination.earlier import earlier_measurements
    from napari_fetal_iqa.review.examination.examination import Examination
    from napari_fetal_iqa.review.examination.known_errors import error_of_case

    who = reviewer or load_settings().reviewer or suggested_reviewer()
    models = given_or_in_use(cls, "cls"), given_or_in_use(seg, "seg")
    with opened_store(store) as opened:
        volumes = review_case(
            list(find_sweeps(case)), opened, who, models, device, engine, frames_per_sweep
        )
        check_reviewer(opened, volumes, who)
        try:
            examination = Examination(volumes, error_of_case(volumes))
        except ValueError as error:
            raise FetalIqaError(f"{error}; give each sweep of the case once") from error
        dating = dating_of_case(dating, volumes)
        entered = Entered(dating, examined.date() if examined else None, chart, name.strip())
        earlier = earlier_measurements(
            opened,
            [one.sweep.identity for one in volumes],
            who,
            dating,
            [one.analysis.setup for one in volumes if one.analysis],
        )
        content = report_content(examination, who, datetime.now().astimezone(), entered, earlier)
        write_report(content, out, paper)
    echo(f"AC {content.value}. {content.interval}. {content.growth.words}".rstrip(". ") + ".")
    if content.earlier_words:
        echo(f"Earlier: {content.earlier_words}.")
    echo(f"{' '.join(content.notices)} Report in {out}")
