"""Folders in the layout of the ACOUSLIC-AI data set (Zenodo record 12697994).

::

    images/stacked_fetal_ultrasound/<uuid>.mha
    masks/stacked_fetal_abdomen/<uuid>.mha        0 background, 1 optimal, 2 suboptimal plane
    circumferences/fetal_abdominal_circumferences_per_sweep.csv
"""

import csv
import io
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import csv_cell
from napari_fetal_iqa.io.discovery import IMAGES
from napari_fetal_iqa.io.read import read_sweep
from napari_fetal_iqa.io.write import write_volume
from napari_fetal_iqa.storage.paths import replacing
from napari_fetal_iqa.sweep import SweepVolume

MASKS = Path("masks", "stacked_fetal_abdomen")
TABLE = Path("circumferences", "fetal_abdominal_circumferences_per_sweep.csv")

SWEEPS_PER_CASE = 6
AC_COLUMNS = tuple(f"sweep_{sweep}_ac_mm" for sweep in range(1, SWEEPS_PER_CASE + 1))


@dataclass(frozen=True)
class AcouslicCase:
    """One examination of the data set.

    Parameters
    ----------
    uuid : str
    subject_id : str
        Several cases may be one subject's: split by subject, not by case.
    image_path, mask_path : Path
        Volumes on one grid; masks hold 0 background, 1 optimal plane, 2 suboptimal plane.
    ac_mm : tuple of 6 (float or None)
        Annotated abdominal circumference of each sweep in mm; None where not annotated.
    """

    uuid: str
    subject_id: str
    image_path: Path
    mask_path: Path
    ac_mm: tuple[float | None, ...]

    @property
    def annotated_sweeps(self) -> tuple[int, ...]:
        """Return the 0-based numbers of the sweeps that have a circumference."""
        return tuple(sweep for sweep, ac_mm in enumerate(self.ac_mm) if ac_mm is not None)


def list_cases(
    folder: str | Path, *, only: Collection[str] | None = None, must_exist: bool = True
) -> list[AcouslicCase]:
    """List the cases of a data set folder, in the order of its table.

    Parameters
    ----------
    folder : str or Path
    only : collection of str, optional
        uuids of the cases to list, where there are such; volumes of the others may be missing.
    must_exist : bool
        Refuse a table that names volumes which are not there.

    Raises
    ------
    SweepError
        Where the table is missing or malformed, or a case's volumes are not there.
    """
    folder = Path(folder)
    cases = [
        _case(folder, row, line)
        for line, row in enumerate(_read_table(folder), start=2)
        if any(row.values())  # spreadsheets write empty lines
    ]
    if only is not None:
        cases = [case for case in cases if case.uuid in only]
    for case in cases if must_exist else ():
        for path in (case.image_path, case.mask_path):
            if not path.is_file():
                raise SweepError(
                    f"{TABLE.name}: names case {case.uuid}, but {path.relative_to(folder)} is "
                    f"missing; copy the data set again"
                )
    return cases


def open_frames(case: AcouslicCase) -> SweepVolume:
    """Open the frames of a case as its six sweeps.

    A case's frames and masks are as large as each other: open one, let go of it, then open the
    other, wherever both are not needed side by side.

    Parameters
    ----------
    case : AcouslicCase

    Returns
    -------
    SweepVolume
        Read as its frames are looked at, see :func:`~napari_fetal_iqa.io.read_sweep`.

    Raises
    ------
    SweepError
        Where the volume cannot be opened, or is not six sweeps of equal length.
    """
    volume = read_sweep(case.image_path)
    length, rest = divmod(len(volume), SWEEPS_PER_CASE)
    if rest:
        raise SweepError(
            f"{case.image_path.name}: expected {SWEEPS_PER_CASE} sweeps of equal length, found "
            f"{len(volume)} frames; copy the case again"
        )
    # Not 140 frames a sweep: data sets in this layout, phantoms among them, have other lengths.
    return volume.with_bounds(length)


def open_masks(case: AcouslicCase, shape: tuple[int, int, int]) -> SweepVolume:
    """Open the masks of a case: 0 background, 1 optimal plane, 2 suboptimal plane.

    Parameters
    ----------
    case : AcouslicCase
    shape : (int, int, int)
        Frames, rows and columns of the case's frames.

    Returns
    -------
    SweepVolume

    Raises
    ------
    SweepError
        Where the volume cannot be opened, or is not on the grid of the frames.
    """
    masks = read_sweep(case.mask_path)
    if masks.shape != shape:
        raise SweepError(
            f"masks of {case.mask_path.name}: expected the grid {shape} of the frames, found "
            f"{masks.shape}; copy the case again"
        )
    return masks


def write_case(
    folder: str | Path,
    uuid: str,
    sweep: SweepVolume,
    masks: NDArray[np.uint8],
    ac_mm_per_sweep: Sequence[float | None],
    subject_id: str,
    *,
    compress: bool = True,
) -> AcouslicCase:
    """Write one case into a data set folder; a case of the same uuid is replaced.

    The table is written last and atomically, so that it never names volumes that are not there.

    Parameters
    ----------
    folder : str or Path
        Made where it is missing.
    uuid : str
        Letters, digits, ``-`` and ``_``: it becomes the file name.
    sweep : SweepVolume
    masks : (T, H, W) uint8 array
        0 background, 1 optimal plane, 2 suboptimal plane, on the grid of the sweep.
    ac_mm_per_sweep : up to 6 of float or None
    subject_id : str
    compress : bool
        Of images and masks.

    Raises
    ------
    SweepError
        Where the masks are not on the grid of the sweep, there are more than 6 sweeps, the
        uuid is no file name, or the disk refuses.
    """
    folder = Path(folder)
    if not _is_file_name(uuid):
        raise SweepError(f"case {uuid!r}: expected a uuid of letters, digits, '-' and '_'")
    if masks.shape != sweep.shape:
        raise SweepError(
            f"case {uuid}: expected masks on the grid {sweep.shape}, found {masks.shape}"
        )
    if len(ac_mm_per_sweep) > SWEEPS_PER_CASE:
        raise SweepError(
            f"case {uuid}: expected at most {SWEEPS_PER_CASE} circumferences, found "
            f"{len(ac_mm_per_sweep)}"
        )
    rows = _read_table(folder) if (folder / TABLE).exists() else []
    row = {"uuid": uuid, "subject_id": subject_id} | {
        column: "" if ac_mm is None else f"{ac_mm:.6g}"
        for column, ac_mm in zip(AC_COLUMNS, ac_mm_per_sweep, strict=False)
    }
    case = _case(folder, row, line=len(rows) + 2)
    for volume_path, volume in ((case.image_path, sweep.frames), (case.mask_path, masks)):
        write_volume(
            volume_path,
            volume,
            sweep.spacing_mm,
            compress=compress,
            frames_per_sweep=sweep.frames_per_sweep,
            simulated=sweep.simulated,
        )
    known = [other["uuid"] for other in rows]
    if uuid in known:
        rows[known.index(uuid)] = row
    else:
        rows.append(row)
    _write_table(folder, rows)
    return case


def _is_file_name(uuid: str | None) -> bool:
    return bool(uuid) and all(c.isascii() and (c.isalnum() or c in "-_") for c in uuid or "")


def _case(folder: Path, row: dict[str, str], line: int) -> AcouslicCase:
    if not _is_file_name(row["uuid"]):  # it leads to files
        raise SweepError(
            f"{TABLE.name}: expected a uuid of letters, digits, '-' and '_' in line {line}, found "
            f"none or another; copy the data set again"
        )
    file_name = f"{row['uuid']}.mha"
    return AcouslicCase(
        uuid=row["uuid"],
        subject_id=row["subject_id"],
        image_path=folder / IMAGES / file_name,
        mask_path=folder / MASKS / file_name,
        ac_mm=tuple(_circumference(row.get(column, ""), line) for column in AC_COLUMNS),
    )


def _circumference(text: str | None, line: int) -> float | None:
    if not text or not text.strip():
        return None
    try:
        ac_mm = float(text)
    except ValueError:
        ac_mm = math.inf
    if math.isnan(ac_mm):
        return None
    if not 0 < ac_mm < math.inf:
        raise SweepError(
            f"{TABLE.name}: expected a circumference in mm in line {line}, found something else; "
            f"correct the table"
        )
    return ac_mm


def _read_table(folder: Path) -> list[dict[str, str]]:
    path = folder / TABLE
    try:
        if path.exists() and not path.is_file():
            raise OSError("a pipe or a device, which may never end")
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise SweepError(
            f"{folder.name}: expected an ACOUSLIC-AI data set with {TABLE}, found none; choose "
            f"the folder that holds images, masks and circumferences"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{TABLE}: cannot be read; copy the data set again") from error
    reader = csv.DictReader(io.StringIO(text))
    try:
        missing = {"uuid", "subject_id", *AC_COLUMNS} - set(reader.fieldnames or ())
        # of a line that ends early the rest is empty; what it has too much belongs to no column
        rows = [{name: line[name] or "" for name in line if name is not None} for line in reader]
    except csv.Error:
        raise SweepError(
            f"{TABLE.name}: no table that can be read; copy the data set again"
        ) from None
    if missing:
        raise SweepError(f"{TABLE.name}: expected a column {min(missing)!r}, found none")
    return rows


def _write_table(folder: Path, rows: Iterable[dict[str, str]]) -> None:
    with replacing(folder / TABLE) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, ["uuid", "subject_id", *AC_COLUMNS], restval="", extrasaction="ignore"
        )
        writer.writeheader()
        for row in rows:
            writer.writerow({name: csv_cell(value) for name, value in row.items()})
