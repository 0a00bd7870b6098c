"""Free calipers as a table beside an exported data set: they belong to no label, and to no mask."""

from collections.abc import Iterator
from pathlib import Path

from napari_fetal_iqa.corrections.history import PlacedCaliper
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.side_table import case_name, place_in_sweep, write_table
from napari_fetal_iqa.corrections.store import CorrectionStore

CALIPER_TABLE = "free_calipers.csv"
_COLUMNS = (
    *("uuid", "frame", "sweep", "frame_in_sweep", "reviewer", "kind", "length_mm"),
    *("longer_mm", "shorter_mm", "points_px", "time", "measure"),
)


def write_caliper_table(folder: Path, store: CorrectionStore, reviewer: str | None = None) -> int:
    """Write every free caliper of a store; return how many there are, and write none for none.

    One row a caliper, in order of sweep, reviewer and frame. ``uuid`` is that of the exported
    case; ``frame`` and ``sweep`` are 0-based and those of the volume as it was reviewed, before an
    export pads it. ``length_mm`` is a distance or a circumference, empty where the spacing is not
    known; ``points_px`` has rows and columns; ``measure`` is what somebody named it.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    store : CorrectionStore
    reviewer : str, optional
        Only this one's.

    Raises
    ------
    StoreError
        Where the store cannot be read, or the table not be written.
    """
    return write_table(folder / CALIPER_TABLE, _COLUMNS, list(_rows(store, reviewer)))


def _rows(store: CorrectionStore, reviewer: str | None) -> Iterator[tuple[object, ...]]:
    for record in store.sweeps():
        for name in store.reviewers(record.identity):
            if reviewer in (None, name):
                for placed in store.calipers(record.identity, name):
                    yield _row(record, placed)


def _row(record: SweepRecord, placed: PlacedCaliper) -> tuple[object, ...]:
    in_mm: tuple[object, ...] = ("", "", "")
    if record.spacing_mm is not None:
        size = placed.caliper.size(record.spacing_mm)
        in_mm = tuple(f"{value:.3f}" for value in (size.length, *(size.diameters or ())))
    return (
        case_name(record.identity),
        placed.frame,
        *place_in_sweep(record, placed.frame),
        placed.reviewer,
        placed.caliper.kind.value,
        *(*in_mm, "", "")[:3],
        " ".join(f"{row:.2f},{column:.2f}" for row, column in placed.caliper.points_px),
        placed.time,
        placed.measure.value if placed.measure else "",
    )
