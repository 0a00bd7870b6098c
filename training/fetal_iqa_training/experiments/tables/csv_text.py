"""Lines of cells as CSV, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping

from napari_fetal_iqa.foreign_text import csv_cell

Cells = Mapping[str, object]


def as_csv(lines: Iterable[Cells]) -> str:
    """Write lines of the same cells; what is not known stays empty."""
    text = io.StringIO()
    writer: csv.DictWriter | None = None
    for line in lines:
        if writer is None:
            writer = csv.DictWriter(text, list(line), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: csv_cell(_rounded(value)) for name, value in line.items()})
    return text.getvalue()


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value
