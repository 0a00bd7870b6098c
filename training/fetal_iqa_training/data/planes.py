"""Standard planes of the public data sets: whose they are, what they show, and their pixels.

Three layouts are read:

- FETAL_PLANES_DB (Burgos-Artizzu et al., Scientific Reports 2020; Zenodo 3904280): ``Images/`` and
  ``FETAL_PLANES_DB_data.csv``;
- the African cohort (Sendra-Balcells et al., Scientific Reports 2023; Zenodo 7540448): folders per
  country and ``African_planes_database.csv``;
- an export of the former: ``images/`` and ``annotations.csv``, whose images may be stretched.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fetal_iqa_training.errors import TrainingError

PLANES = {
    "fetal abdomen": "abdomen",
    "fetal brain": "brain",
    "fetal femur": "femur",
    "fetal thorax": "thorax",
    "maternal cervix": "cervix",
    "other": "other",
}
"""What the lists call the planes, and what we do."""

_SPANISH, _AFRICAN, _EXPORT = (
    "FETAL_PLANES_DB_data.csv",
    "African_planes_database.csv",
    "annotations.csv",
)
_LARGEST_SIDE = 4096  # scanners' images have up to 1500; a larger one is no such image

TEXT_BOXES = (
    (0.0, 0.34, 0.82, 1.0),  # frame rate, preset and gestational age, at the top right
    (0.0, 1.0, 0.0, 0.045),  # the grey bar and the ruler of the depth, at the left
    (0.0, 0.11, 0.0, 0.12),  # the maker's mark, at the top left
)
"""Where scanners burn in what they say, as shares of rows and columns: from, to, from, to."""

Part = Literal["train", "val"]
"""Parts into which a list may split its subjects."""


@dataclass(frozen=True)
class PlaneImage:
    """One image of a plane.

    Parameters
    ----------
    path : Path
    subject : str
        Images of one subject train or judge, and never both.
    plane : str
        One of the values of PLANES.
    machine : str
        Empty where it is not known.
    size : (int, int), optional
        Columns and rows that it had before somebody stretched it.
    part : str
        ``train`` or ``val``, where the list splits the subjects; else empty.
    """

    path: Path
    subject: str
    plane: str
    machine: str = ""
    size: tuple[int, int] | None = None
    part: str = ""


def has_planes(folder: Path) -> bool:
    """Whether a folder has a list in one of the three layouts."""
    return any((folder / name).is_file() for name in (_EXPORT, _SPANISH, _AFRICAN))


def read_planes(folder: Path) -> tuple[PlaneImage, ...]:
    """List the images of a folder in one of the three layouts.

    Raises
    ------
    TrainingError
        Where it is in none, lacks an image that its list names, or names a plane that none of the
        data sets has.
    """
    readers = {_EXPORT: _exported, _SPANISH: _spanish, _AFRICAN: _african}
    for name, read in readers.items():
        table = folder / name
        if table.is_file():
            images = tuple(read(folder, _lines(table)))
            if not images:
                raise TrainingError(f"{table}: names no image")
            if lost := next((one for one in images if not one.path.is_file()), None):
                raise TrainingError(f"{table}: names {lost.path.name}, which is not in {folder}")
            return images
    if found := sorted(folder.glob("*planes*.xlsx")) + sorted(folder.glob("*PLANES*.xlsx")):
        raise TrainingError(f"{found[0]}: save it as CSV beside it; a workbook is not read")
    names = ", ".join(readers)
    raise TrainingError(f"{folder}: expected one of {names} in it; choose the unpacked data set")


def _lines(table: Path) -> list[dict[str, str]]:
    """Read a list, separated by semicolons or commas, with names of columns in small letters."""
    try:
        text = table.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise TrainingError(f"{table}: cannot be read ({error.strerror})") from None
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    return [
        {str(k).strip().lower(): str(v or "").strip() for k, v in line.items()}
        for line in csv.DictReader(text.splitlines(), delimiter=separator)
    ]


def _exported(folder: Path, lines: Sequence[Mapping[str, str]]) -> Iterator[PlaneImage]:
    for line in lines:
        yield PlaneImage(
            folder / "images" / _named(line, "file", folder),
            _named(line, "subject", folder),
            _plane(line, folder),
            line.get("us_machine", ""),
            _original_size(line, folder),
            line.get("subject_split", ""),
        )


def _original_size(line: Mapping[str, str], folder: Path) -> tuple[int, int] | None:
    columns, rows = line.get("original_width", ""), line.get("original_height", "")
    if not columns and not rows:
        return None
    sides = []
    for name, text in (("original_width", columns), ("original_height", rows)):
        # pandas writes whole numbers as 959.0 where the column has gaps
        side = int(float(text)) if re.fullmatch(r"[0-9]{1,9}(\.0*)?", text) else 0
        if not 1 <= side <= _LARGEST_SIDE:
            raise TrainingError(
                f"{folder / _EXPORT}: {line.get('file', '')[:100]} has {name} {text[:50]!r}; "
                f"expected a whole number from 1 to {_LARGEST_SIDE}"
            )
        sides.append(side)
    return sides[0], sides[1]


def _spanish(folder: Path, lines: Sequence[Mapping[str, str]]) -> Iterator[PlaneImage]:
    for line in lines:
        name = _named(line, "image_name", folder)
        name = name if name.endswith(".png") else f"{name}.png"
        patient, machine = _named(line, "patient_num", folder), line.get("us_machine", "")
        yield PlaneImage(folder / "Images" / name, patient, _plane(line, folder), machine)


def _african(folder: Path, lines: Sequence[Mapping[str, str]]) -> Iterator[PlaneImage]:
    there = {f"{path.parent.name}/{path.name}".lower(): path for path in folder.rglob("*.png")}
    for line in lines:
        name, centre = _named(line, "filename", folder), _named(line, "center", folder)
        name = name if name.endswith(".png") else f"{name}.png"
        path = there.get(f"{centre}/{name}".lower(), folder / centre / name)
        # patients are counted anew in every country
        subject = f"{centre} {_named(line, 'patient_num', folder)}"
        yield PlaneImage(path, subject, _plane(line, folder), centre)


def _named(line: Mapping[str, str], column: str, folder: Path) -> str:
    if not line.get(column):
        raise TrainingError(f"{folder}: its list has a line without {column}; get it anew")
    return line[column]


def _plane(line: Mapping[str, str], folder: Path) -> str:
    called = _named(line, "plane", folder)
    try:
        return PLANES[called.lower()]
    except KeyError:
        raise TrainingError(f"{folder}: its list names a plane {called[:50]!r}") from None


def original_size(image: PlaneImage) -> tuple[int, int]:
    """Return columns and rows of an image as the scanner showed it, without reading its pixels.

    Raises
    ------
    TrainingError
        Where the file is no image.
    """
    if image.size is not None:
        return image.size
    try:
        with Image.open(image.path) as opened:
            return opened.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise TrainingError(f"{image.path}: not an image ({error})") from None


def load_frame(image: PlaneImage, mask_text: bool = True) -> NDArray[np.uint8]:
    """Read the pixels of an image, grey, in the shape in which the scanner showed them.

    Parameters
    ----------
    image : PlaneImage
    mask_text : bool
        Blacken where scanners burn in text: the same places of every image, whether there is text
        or not, so that the black gives nothing away. Presets in the text name the plane.

    Returns
    -------
    (H, W) uint8 array

    Raises
    ------
    TrainingError
        Where the file is no image, or larger than a scanner's.
    """
    try:
        with Image.open(image.path) as opened:
            if max(opened.size) > _LARGEST_SIDE:
                raise TrainingError(f"{image.path}: {opened.size} pixels are no scanner's image")
            grey = opened.convert("L")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise TrainingError(f"{image.path}: not an image ({error})") from None
    if image.size is not None and grey.size != image.size:
        grey = grey.resize(image.size, Image.Resampling.BICUBIC)
    frame = np.array(grey)
    if mask_text:
        rows, columns = frame.shape
        for top, bottom, left, right in TEXT_BOXES:
            frame[
                round(top * rows) : round(bottom * rows),
                round(left * columns) : round(right * columns),
            ] = 0
    return frame


@lru_cache(maxsize=16)  # every run of a study asks
def planes_hash(images: tuple[PlaneImage, ...]) -> str:
    """Hash of images in their order: their content, and what is known of them, wherever they lie.

    In their order, because what is computed of them is kept and drawn by it.
    """
    digest = hashlib.sha256()
    for image in images:
        known = f"{image.path.name}\t{image.subject}\t{image.plane}\t{image.size}\n"
        digest.update(known.encode())
        digest.update(bytes.fromhex(image_content(image)))
    return digest.hexdigest()


def image_content(image: PlaneImage) -> str:
    """Hash an image's file."""
    return _content(image.path, image.path.stat().st_mtime_ns)


@lru_cache(maxsize=100_000)  # asked of by the hash of the data, by folds, and across domains
def _content(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
