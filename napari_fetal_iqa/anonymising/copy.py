"""A de-identified copy of a sweep: the fan's pixels without a text of the old header."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from napari_fetal_iqa.anonymising.fan import BlackedArea, FanCut, cut_to_fan
from napari_fetal_iqa.anonymising.profile import deidentified
from napari_fetal_iqa.anonymising.pseudonyms import Pseudonyms
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.dicom_images import dicom_files, dicom_images
from napari_fetal_iqa.io.discovery import DICOM_SUFFIXES, SweepSource
from napari_fetal_iqa.io.formats.dicom.data_set import read_data_set, saying_nothing, write_data_set
from napari_fetal_iqa.io.formats.dicom.pixel_module import set_grey_frames
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.io.write import WRITABLE_SUFFIXES, write_volume
from napari_fetal_iqa.storage.paths import replacing
from napari_fetal_iqa.sweep import SweepVolume

KINDS: Final = (
    "end it with .mha, .nrrd or .nii.gz for one volume, with .dcm where the source is one DICOM "
    "file, or with nothing for a folder of DICOM files or PNG frames"
)


@dataclass(frozen=True)
class Copy:
    """A copy that was written.

    Parameters
    ----------
    files : int
    cut : FanCut or None
        What was blacked; None where all pixels were kept.
    sweep : SweepVolume
        The source.
    """

    files: int
    cut: FanCut | None
    sweep: SweepVolume

    @property
    def areas(self) -> tuple[BlackedArea, ...]:
        """What was bright and is black in the copy."""
        return self.cut.areas if self.cut else ()


def write_copy(
    source: SweepSource, out: Path, pseudonyms: Pseudonyms, keep_pixels: bool = False
) -> Copy:
    """Write a de-identified copy of a sweep.

    Frames are written as the program reads them: 8-bit grey. Files of DICOM become files of DICOM,
    one for one, where ``out`` ends with ``.dcm`` or is a folder.

    Parameters
    ----------
    source : SweepSource
    out : Path
        A file by whose ending the format is chosen, or a folder that is empty or not there.
    pseudonyms : Pseudonyms
        New UIDs and a patient's id for the old ones.
    keep_pixels : bool
        Keep the pixels beside the fan.

    Returns
    -------
    Copy

    Raises
    ------
    SweepError
        Where the source cannot be read, no fan is found, the ending is another, or the disk
        refuses.
    """
    write = _writer(source, out)
    sweep = read_source(source)
    cut = None if keep_pixels else cut_to_fan(sweep)
    frames = np.array(sweep.frames, np.uint8)
    if cut is not None:
        frames[:, ~cut.keep] = 0
    clean = cut is not None and cut.over_fan
    return Copy(write(source, out, sweep, frames, pseudonyms, clean), cut, sweep)


_Writer = Callable[[SweepSource, Path, SweepVolume, NDArray[np.uint8], Pseudonyms, bool], int]


def _writer(source: SweepSource, out: Path) -> _Writer:
    """Choose how to write, before anything is read."""
    name = out.name.lower()
    if out.exists() and source.path.exists() and out.samefile(source.path):
        raise SweepError(f"{out.name}: is the sweep itself; name another file for the copy")
    if name.endswith(WRITABLE_SUFFIXES):
        return _write_volume
    dicom = bool(dicom_files(source))
    if dicom and name.endswith(DICOM_SUFFIXES):
        return _write_dicom_file
    if out.suffix:
        raise SweepError(f"{out.name}: a copy cannot be written as this; {KINDS}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SweepError(f"{out.name}: expected a new or empty folder; choose another")
    return _write_dicom_folder if dicom else _write_pictures


def _write_volume(
    source: SweepSource,
    out: Path,
    sweep: SweepVolume,
    frames: NDArray[np.uint8],
    pseudonyms: Pseudonyms,
    clean: bool,
) -> int:
    split = sweep.frames_per_sweep if len(sweep.bounds) > 1 else None
    write_volume(out, frames, sweep.spacing_mm, frames_per_sweep=split, simulated=sweep.simulated)
    return 1


def _write_pictures(
    source: SweepSource,
    out: Path,
    sweep: SweepVolume,
    frames: NDArray[np.uint8],
    pseudonyms: Pseudonyms,
    clean: bool,
) -> int:
    for number, frame in enumerate(frames):
        with replacing(out / f"{number:05}.png") as new:
            Image.fromarray(frame).save(new)
    return len(frames)


def _write_dicom_file(
    source: SweepSource,
    out: Path,
    sweep: SweepVolume,
    frames: NDArray[np.uint8],
    pseudonyms: Pseudonyms,
    clean: bool,
) -> int:
    paths = [path for path, _ in dicom_images(source)]
    if len(paths) != 1:
        raise SweepError(
            f"{out.name}: the sweep lies in {len(paths)} DICOM files; name a folder for the copies"
        )
    new = _dicom(paths[0], sweep, frames, pseudonyms, clean)
    with replacing(out) as temporary:
        write_data_set(new, temporary)
    return 1


def _write_dicom_folder(
    source: SweepSource,
    out: Path,
    sweep: SweepVolume,
    frames: NDArray[np.uint8],
    pseudonyms: Pseudonyms,
    clean: bool,
) -> int:
    images = dicom_images(source)
    if sum(count for _, count in images) != len(frames):
        raise SweepError(
            f"{out.name}: the DICOM files do not say how many frames they hold; name a file that "
            f"ends with .mha for the copy"
        )
    start = 0
    series: dict[str, int] = {}
    for number, (path, count) in enumerate(images, start=1):
        new = _dicom(path, sweep, frames[start : start + count], pseudonyms, clean)
        # Sweeps are read in the order of their numbers, then of UIDs, which are new.
        new.SeriesNumber = series.setdefault(new.SeriesInstanceUID, len(series) + 1)
        with replacing(out / f"{number:05}.dcm") as temporary:
            write_data_set(new, temporary)
        start += count
    return len(images)


def _dicom(
    path: Path,
    sweep: SweepVolume,
    frames: NDArray[np.uint8],
    pseudonyms: Pseudonyms,
    clean: bool,
) -> Dataset:
    with saying_nothing():
        new = deidentified(read_data_set(path), pseudonyms, len(frames), clean)
    if sweep.spacing_mm and "SequenceOfUltrasoundRegions" not in new:
        new.PixelSpacing = list(sweep.spacing_mm)
    set_grey_frames(new, frames, sweep.frames_per_second)
    return new


def check_preview(path: Path) -> None:
    """Raise SweepError where a preview cannot have this name."""
    if path.suffix.lower() != ".png":
        raise SweepError(f"{path.name}: expected a name that ends with .png for the preview")


def write_preview(path: Path, cut: FanCut) -> None:
    """Write a picture of what the copy shows: its brightest values, and in colour what was blacked.

    Nothing of what was blacked is legible in it.

    Raises
    ------
    SweepError
        Where the ending is not ``.png`` or the disk refuses.
    """
    check_preview(path)
    picture = np.repeat(cut.brightest[..., None], 3, axis=2)
    for area in cut.areas:
        place = (slice(*area.rows), slice(*area.columns))
        blacked = ~cut.keep[place]
        picture[place][blacked] = (230, 120, 0) if area.in_fan else (0, 110, 200)
    with replacing(path) as new:
        Image.fromarray(picture).save(new, "PNG")
