"""The six criteria as a table beside an exported data set: they belong to no label, and no mask."""

from collections.abc import Iterator
from pathlib import Path

from napari_fetal_iqa.corrections.side_table import case_name, place_in_sweep, write_table
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.criteria import Criterion, score

CRITERIA_TABLE = "plane_criteria.csv"
_COLUMNS = ("uuid", "frame", "sweep", "frame_in_sweep", "reviewer", *Criterion, "score")


def write_criteria_table(folder: Path, store: CorrectionStore, reviewer: str | None = None) -> int:
    """Write what each reviewer says of the criteria of every judged frame; return how many rows.

    One row a frame and reviewer; a criterion is 1 where it is met, 0 where it is not, and empty
    where nobody judged it. ``score`` counts those that are met. Frames and sweeps are numbered as
    in the table of free calipers. None is written for none.

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
    return write_table(folder / CRITERIA_TABLE, _COLUMNS, list(_rows(store, reviewer)))


def _rows(store: CorrectionStore, reviewer: str | None) -> Iterator[tuple[object, ...]]:
    for record in store.sweeps():
        for name in store.reviewers(record.identity):
            if reviewer not in (None, name):
                continue
            for frame, verdicts in store.verdicts(record.identity, name).items():
                judged = (verdicts.get(one) for one in Criterion)
                yield (
                    case_name(record.identity),
                    frame,
                    *place_in_sweep(record, frame),
                    name,
                    *("" if met is None else int(met) for met in judged),
                    score(verdicts),
                )
