"""Tables that stand beside an exported data set, and how they name cases, sweeps and frames."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.foreign_text import csv_cell


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Write a table beside a data set, whole or not at all; none for no rows.

    Raises
    ------
    StoreError
        Where it cannot be written.
    """
    if not rows:
        return 0
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.getvalue())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); check the disk") from None
    return len(rows)


def place_in_sweep(record: SweepRecord, frame: int) -> tuple[int, int]:
    """Return which sweep a frame of the volume is in, and which frame of it; both 0-based."""
    starts = [start for start, _ in record.bounds if start <= frame]
    return len(starts) - 1, frame - starts[-1]


def case_name(identity: str) -> str:
    """Name a sweep as an export names its case."""
    try:
        return str(UUID(identity[:32]))
    except ValueError:
        return identity
