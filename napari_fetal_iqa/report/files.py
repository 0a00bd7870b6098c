"""A report as a file: its ending chooses the form."""

import json
from pathlib import Path

from fetal_iqa_models.atomic_file import atomic_file
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.report.content import ReportContent
from napari_fetal_iqa.report.pdf import Paper

ENDINGS = (".pdf", ".html", ".json", ".csv")


def check_place(out: Path) -> None:
    """Raise FetalIqaError where a report cannot have this name, or its folder is not there."""
    if out.suffix.lower() not in ENDINGS:
        raise FetalIqaError(f"{out.name}: expected a name that ends in {', '.join(ENDINGS)}")
    if not out.parent.is_dir():
        raise FetalIqaError(f"{out.parent}: there is no such folder; make it, or choose another")


def report_bytes(content: ReportContent, ending: str, paper: Paper = "a4") -> bytes:
    """Make a report: a PDF page, an HTML page, FHIR-like JSON or a CSV row."""
    # each imports what it needs alone
    if ending == ".pdf":
        from napari_fetal_iqa.report.pdf import pdf_page

        return pdf_page(content, paper)
    if ending == ".html":
        from napari_fetal_iqa.report.html import html_page

        return html_page(content).encode()
    from napari_fetal_iqa.report.tables import csv_row, observations

    if ending == ".json":
        return f"{json.dumps(observations(content), indent=2)}\n".encode()
    return csv_row(content).encode()


def write_report(content: ReportContent, out: Path, paper: Paper = "a4") -> None:
    """Write a report, whole or not at all.

    Raises
    ------
    FetalIqaError
        Where it cannot be written there.
    """
    check_place(out)
    page = report_bytes(content, out.suffix.lower(), paper)
    try:
        with atomic_file(out) as new:
            new.write_bytes(page)
    except OSError as error:
        raise FetalIqaError(
            f"{out}: the report cannot be written ({error.strerror}); choose another place"
        ) from error
