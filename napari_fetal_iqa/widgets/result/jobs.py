"""What is made of a case beside the GUI thread, step by step: the report's file, DICOM's folder."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.growth.charts import Author, find_chart
from napari_fetal_iqa.review.examination.snapshot import ReviewSnapshot

Steps = Generator[str, None, str]
"""Yields what is being done, and returns what was made of it, both for people."""


@dataclass(frozen=True)
class ReportWish:
    """Which report is wanted.

    Parameters
    ----------
    out : Path
        Its ending chooses the form.
    paper : "a4" or "letter"
    name : str
        Typed for this page; kept nowhere.
    """

    out: Path
    paper: str = "a4"
    name: str = ""


def report_steps(snapshot: ReviewSnapshot, wish: ReportWish, chart: Author) -> Steps:
    """Make the report of a sweep's case, and write it.

    Raises
    ------
    FetalIqaError
        Where it cannot be written.
    """
    yield "Measuring the frames…"
    # what draws pages takes a second to import
    from napari_fetal_iqa.report.content import Entered, report_content
    from napari_fetal_iqa.report.files import check_place, write_report

    check_place(wish.out)
    with snapshot.examination() as examination:
        entered = Entered(snapshot.age, None, chart, wish.name)
        made = datetime.now().astimezone()
        earlier = snapshot.earlier()
        content = report_content(examination, snapshot.reviewer, made, entered, earlier)
        yield "Drawing the page…"
        write_report(content, wish.out, "letter" if wish.paper == "letter" else "a4")
    told = f" Earlier: {earlier.words}." if earlier.words else ""
    return f"AC of the case {content.value}.{told} Saved in {wish.out}"


def dicom_steps(snapshot: ReviewSnapshot, folder: Path, chart: Author) -> Steps:
    """Make the DICOM objects of a sweep's case, and write them into a new folder.

    Raises
    ------
    FetalIqaError
        Where there is nothing to export, the source cannot be referred to, or the folder holds
        something.
    """
    yield "Measuring the frames…"
    from napari_fetal_iqa.dicom_out.new_folder import check_folder
    from napari_fetal_iqa.dicom_out.objects import objects_of_case
    from napari_fetal_iqa.io.discovery import SweepSource

    check_folder(folder)
    path = snapshot.sweep.path
    source = SweepSource(path) if path is not None and path.exists() else None
    with snapshot.examination() as examination:
        examination.circumference  # noqa: B018  # measured now, and kept
        yield "Making DICOM objects…"
        made = objects_of_case(
            [source],
            examination,
            snapshot.reviewer,
            datetime.now(),
            snapshot.age,
            find_chart("AC", chart),
        )
        yield "Writing…"
        made.write(folder)
    without = "" if made.findings else ", without a report: no frame can be measured in mm"
    return f"{counted(len(made.objects), 'DICOM object')} in {folder}{without}"
