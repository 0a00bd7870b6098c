"""Submission folders of the challenge: the chosen frame and its mask, a folder per case.

::

    <case>/images/fetal-abdomen-segmentation/output.mha   0 and 1, empty but for the chosen frame
    <case>/fetal-abdomen-frame-number.json                one whole number, 0-based; -1 for none
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.storage.paths import read_small_text

MASKS = Path("images", "fetal-abdomen-segmentation")
FRAME = Path("fetal-abdomen-frame-number.json")


@dataclass(frozen=True, eq=False)
class Choice:
    """The frame that was chosen in one case, and its mask.

    Parameters
    ----------
    frame : int
        0-based; -1 for none.
    mask : (H, W) bool array
        Abdomen on that frame; empty where there is none.
    n_frames : int
        Of the case.
    spacing_mm : (float, float) or None
        Millimetres per pixel along rows and columns.
    """

    frame: int
    mask: NDArray[np.bool_]
    n_frames: int
    spacing_mm: tuple[float, float] | None = None


def write_choice(folder: Path, choice: Choice) -> None:
    """Write one case; what is in the folder already is replaced, the frame's number last.

    The volume takes memory only where it is not empty.

    Parameters
    ----------
    folder : Path
        Of the case; made where it is missing.
    choice : Choice

    Raises
    ------
    SweepError, OSError
        Where the disk refuses.
    """
    (folder / FRAME).unlink(missing_ok=True)
    volume = np.zeros((choice.n_frames, *choice.mask.shape), np.uint8)
    if choice.frame >= 0:
        volume[choice.frame] = choice.mask
    write_volume(folder / MASKS / "output.mha", volume, choice.spacing_mm, compress=True)
    write_atomically(folder / FRAME, f"{choice.frame}\n")


def read_choice(folder: Path) -> Choice:
    """Read one case.

    As in the challenge, any one ``.mha`` file in the folder of the mask will do, and masks of
    other frames than the chosen one count for nothing. One volume is in memory at a time.

    Parameters
    ----------
    folder : Path
        Of the case.

    Raises
    ------
    SweepError, TrainingError
        Where a file is missing or damaged, a mask holds anything but 0 and 1, or there is no such
        frame.
    """
    frame = _read_frame(folder / FRAME)
    found = sorted((folder / MASKS).glob("*.mha"))
    if len(found) != 1:
        raise TrainingError(
            f"expected one .mha file in {MASKS.as_posix()}, found {len(found)}; export the case "
            "again"
        )
    volume = read_sweep(found[0])
    if not -1 <= frame < len(volume):
        raise TrainingError(
            f"{FRAME}: expected a frame of 0 to {len(volume) - 1} or -1, found {frame}; export the "
            "case again"
        )
    mask = np.zeros(volume.shape[1:], bool)
    for number, labels in enumerate(volume.frames):
        if (largest := int(np.max(labels))) > 1:
            raise TrainingError(
                f"{found[0].name}: expected 0 and 1, found {largest} in frame {number}; export the "
                "case again"
            )
        if number == frame:
            mask = np.array(labels, bool)
    return Choice(frame, mask, len(volume), volume.spacing_mm)


def _read_frame(path: Path) -> int:
    try:
        number = json.loads(read_small_text(path))
    except FileNotFoundError:
        raise TrainingError(f"{path.name} is missing; export the case again") from None
    except (OSError, ValueError, RecursionError):
        number = None
    if isinstance(number, bool) or not isinstance(number, int):
        raise TrainingError(f"{path.name}: expected one whole number; export the case again")
    return number


def choice_of_analysis(folder: Path) -> Choice:
    """Read the choice of an analysis: ``summary.json`` and ``masks.mha`` of one sweep.

    Parameters
    ----------
    folder : Path
        As ``napari-fetal-iqa analyse`` writes it.

    Raises
    ------
    SweepError, TrainingError
        Where a file is missing or damaged, or not all frames were analysed.
    """
    path = folder / "summary.json"
    try:
        summary = json.loads(read_small_text(path))
        frame, n_frames, done = (
            int(summary[key]) for key in ("best_frame", "frames", "frames_analysed")
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise TrainingError(
            f"{path.name}: expected the best frame of an analysis; analyse the sweep again"
        ) from None
    if done < n_frames:
        raise TrainingError(
            f"{done} of {n_frames} frames were analysed; let the analysis go on to its end"
        )
    masks = read_sweep(folder / "masks.mha")
    if len(masks) != n_frames or not -1 <= frame < n_frames:
        raise TrainingError(
            f"expected a best frame of the {n_frames} frames and as many masks, found frame "
            f"{frame} and {len(masks)} masks; analyse the sweep again"
        )
    empty = np.zeros(masks.shape[1:], bool)
    mask = np.asarray(masks.frames[frame]) > 0 if frame >= 0 else empty
    return Choice(frame, mask, n_frames, masks.spacing_mm)


@dataclass(frozen=True)
class Exported:
    """What became of one analysed sweep: its case's name, and what was wrong, if anything."""

    case: str
    wrong: str | None = None


def export_submission(results: Path, out: Path) -> Iterator[Exported]:
    """Turn a folder of analyses into a submission folder, one case after the other.

    Parameters
    ----------
    results : Path
        Holds a folder per sweep, as ``napari-fetal-iqa analyse`` writes them.
    out : Path
        Gets a folder of the same name for each.

    Yields
    ------
    Exported
        After each case; one that cannot be used is named, and the others go on.

    Raises
    ------
    TrainingError
        Where there is no analysis in the folder.
    SweepError, OSError
        Where the disk refuses.
    """
    folders = sorted(summary.parent for summary in results.glob("*/summary.json"))
    if not folders:
        raise TrainingError(
            f"{results}: expected a folder per sweep with summary.json and masks.mha, found none; "
            "choose the folder given to napari-fetal-iqa analyse --out"
        )
    for folder in folders:
        try:
            choice = choice_of_analysis(folder)
        except (SweepError, TrainingError) as error:
            yield Exported(folder.name, str(error))
            continue
        write_choice(out / folder.name, choice)
        yield Exported(folder.name)
