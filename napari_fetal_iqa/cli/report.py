"""``napari-fetal-iqa report``: the page of a case."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_fetal_iqa.cli.analyse import ClsModel, Device, EngineName, SegModel, given_or_in_use
from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.cli.info import FramesPerSweep
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import FetalIqaError, StoreError
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import load_settings, suggested_reviewer

if TYPE_CHECKING:
    from napari_fetal_iqa.corrections import CorrectionStore
    from napari_fetal_iqa.report.content import ReportContent
    from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames

_DAY = ["%Y-%m-%d"]


def report(
    case: Annotated[
        list[Path],
        typer.Argument(help="The sweeps of one case: one file that holds all, or one a sweep."),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .pdf, .html, .json or .csv.")],
    weeks: Annotated[
        str | None,
        typer.Option(help="Gestational age by dates on the day of the examination: 27w3d."),
    ] = None,
    lmp: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="First day of the last menstrual period."),
    ] = None,
    edd: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Expected date of delivery.")
    ] = None,
    examined: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="Day of the examination; --lmp and --edd need it."),
    ] = None,
    chart: Annotated[
        Literal["intergrowth", "hadlock"], typer.Option(help="Growth chart of the circumference.")
    ] = "intergrowth",
    name: Annotated[
        str, typer.Option(help="Whose report it is: printed on this page and kept nowhere.")
    ] = "",
    paper: Annotated[Literal["a4", "letter"], typer.Option(help="Of a PDF.")] = "a4",
    reviewer: Annotated[
        str | None, typer.Option(help="Whose corrections count; by default the window's reviewer.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Corrections store; by default the one that the window uses."),
    ] = None,
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
    dating = _dating(weeks, lmp, edd, examined)
    if out.suffix.lower() not in _WRITERS:
        raise typer.BadParameter(
            f"{out.name}: expected a name that ends in {', '.join(_WRITERS)}", param_hint="--out"
        )
    if not out.parent.is_dir():
        raise FetalIqaError(f"{out.parent}: there is no such folder; make it, or choose another")

    from napari_fetal_iqa.cli.case import known_error, review_case
    from napari_fetal_iqa.report.content import Entered, report_content
    from napari_fetal_iqa.review.examination.examination import Examination

    who = reviewer or load_settings().reviewer or suggested_reviewer()
    models = given_or_in_use(cls, "cls"), given_or_in_use(seg, "seg")
    with _opened(store) as opened:
        volumes = review_case(
            list(find_sweeps(case)), opened, who, models, device, engine, frames_per_sweep
        )
        _check_reviewer(opened, volumes, who)
        try:
            examination = Examination(volumes, known_error(volumes))
        except ValueError as error:
            raise FetalIqaError(f"{error}; give each sweep of the case once") from error
        entered = Entered(dating, examined.date() if examined else None, chart, name.strip())
        content = report_content(examination, who, datetime.now().astimezone(), entered)
        _write(content, out, paper)
    echo(f"AC {content.value}. {content.interval}. {content.growth.words}".rstrip(". ") + ".")
    echo(f"{' '.join(content.notices)} Report in {out}")


def _dating(
    weeks: str | None, lmp: datetime | None, edd: datetime | None, examined: datetime | None
) -> Dating | None:
    given = [one for one in (weeks, lmp, edd) if one is not None]
    if not given:
        return None
    if len(given) > 1:
        raise typer.BadParameter("give one of --weeks, --lmp and --edd", param_hint="--weeks")
    if weeks is None and examined is None:
        raise typer.BadParameter(
            "needed with --lmp or --edd: the age on that day is what counts",
            param_hint="--examined",
        )
    try:
        if weeks is not None:
            return Dating.from_weeks(weeks)
        assert examined is not None  # checked above
        day: date = examined.date()
        if lmp is not None:
            return Dating.from_lmp(lmp.date(), day)
        assert edd is not None  # one of the three was given
        return Dating.from_edd(edd.date(), day)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _opened(store: Path | None) -> "CorrectionStore":
    from napari_fetal_iqa.corrections import CorrectionStore

    path = store or paths.default_store()
    if path.exists():
        return CorrectionStore(path, "ro")
    if store is not None:
        raise StoreError(f"{store}: there is no such corrections store")
    return CorrectionStore(path, "memory")


def _check_reviewer(
    store: "CorrectionStore", volumes: "list[ReviewedFrames]", reviewer: str
) -> None:
    """Say whose corrections of the case do not count, where the reviewer has none."""
    if any(volume.corrections() for volume in volumes):
        return
    others = sorted({name for one in volumes for name in store.reviewers(one.sweep.identity)})
    if others:
        echo(
            f"{reviewer} corrected nothing here; there are some corrections by "
            f"{', '.join(others)}: choose with --reviewer",
            err=True,
        )


def _write(content: "ReportContent", out: Path, paper: Literal["a4", "letter"]) -> None:
    from fetal_iqa_models.atomic_file import atomic_file

    page = _WRITERS[out.suffix.lower()](content, paper)
    try:
        with atomic_file(out) as new:
            new.write_bytes(page)
    except OSError as error:
        raise FetalIqaError(
            f"{out}: the report cannot be written ({error.strerror}); choose another place"
        ) from error


def _pdf(content: "ReportContent", paper: Literal["a4", "letter"]) -> bytes:
    from napari_fetal_iqa.report.pdf import pdf_page

    return pdf_page(content, paper)


def _html(content: "ReportContent", paper: str) -> bytes:
    from napari_fetal_iqa.report.html import html_page

    return html_page(content).encode()


def _json(content: "ReportContent", paper: str) -> bytes:
    from napari_fetal_iqa.report.tables import observations

    return f"{json.dumps(observations(content), indent=2)}\n".encode()


def _csv(content: "ReportContent", paper: str) -> bytes:
    from napari_fetal_iqa.report.tables import csv_row

    return csv_row(content).encode()


_WRITERS = {".pdf": _pdf, ".html": _html, ".json": _json, ".csv": _csv}
