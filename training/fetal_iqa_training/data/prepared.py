"""What training needs of a data set, built ahead: frames at the network's size, part by part.

::

    prepared.json        what was built, from which files
    split.json           who is in which part
    training/            frames, masks, positive: one byte a pixel, one byte a frame
        copy-1/ copy-2/  the same of augmented copies
    validation/

The test part is not here: models are judged on the sweeps' own grid.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from fetal_iqa_models.atomic_file import atomic_folder
from fetal_iqa_training.data.fixed_copies import (
    CopyRecipe,
    build_with_copies,
    copy_folders,
    open_copies,
)
from fetal_iqa_training.data.frame_set import FrameSet, build_frame_set, open_frame_set
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, frames_of
from fetal_iqa_training.data.split import SPLIT, SplitList, listed_cases, write_split
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.io import AcouslicCase, list_cases
from napari_fetal_iqa.version import TOOL_VERSION

NOTE = "prepared.json"
BUILT: tuple[Literal["training", "validation"], ...] = ("training", "validation")
"""Parts that a training reads at the network's size."""

_LARGEST = 2**24
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PreparedPart(BaseModel):
    """One part: how many frames, hashes of the data they come from and of the files here.

    ``contents`` are those of each sweep's frames; ``copies`` were made of each frame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int = Field(ge=0)
    data_hash: _Sha256
    content: _Sha256
    contents: tuple[_Sha256, ...] = ()
    copies: int = Field(default=0, ge=0)


class Prepared(BaseModel):
    """What a folder holds; ``prepared.json``.

    Parameters
    ----------
    schema_version : 2
        Another one where frames are resized or data are hashed by another rule: since 2 outlines
        are filled, and sweeps known by their content.
    image_size : int
        Side of the square frames in pixels.
    split : str
        Hash of the list of the split, see :class:`~.split.SplitList`.
    cases : dict of str to str
        What each case's files and annotated sweeps were when it was taken in.
    training, validation : PreparedPart
    copies_seed : int, optional
        That the copies were made by; None where there are none, or an earlier version made them.
    tool_version : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    image_size: int = Field(ge=16, le=4096)
    split: _Sha256
    cases: dict[str, _Sha256]
    training: PreparedPart
    validation: PreparedPart
    copies_seed: int | None = Field(default=None, ge=0)
    tool_version: str


def build_prepared(
    data: Path,
    split: dict[str, JsonValue],
    left_out: dict[str, str],
    image_size: int,
    folder: Path,
    report: Report = silent,
    recipe: CopyRecipe | None = None,
) -> Prepared:
    """Bring training and validation frames to the network's size, one sweep in memory at a time.

    The folder appears whole or not at all.

    Parameters
    ----------
    data : Path
        In the ACOUSLIC-AI layout.
    split : dict
        As :func:`~.split.split_list` gives it.
    left_out : dict of str to str
        Damaged cases, for the list in the folder.
    image_size : int
    folder : Path
        Must not exist.
    report : callable, optional
    recipe : CopyRecipe, optional
        Of the copies of the training frames.

    Raises
    ------
    TrainingError, SweepError
        Where the folder exists or a case cannot be used.
    OSError
        Where the disk refuses.
    """
    check_is_new(folder)
    with atomic_folder(folder) as building:
        write_split(building / SPLIT, split, left_out)
        cases, listed = listed_cases(data, building / SPLIT)
        total = sum(case.n_sources for part in BUILT for case in getattr(cases, part))
        parts: dict[str, PreparedPart] = {}
        done = 0
        for part in BUILT:
            of_part: tuple[AnnotatedCase, ...] = getattr(cases, part)
            before = done

            def written(sources: int, before: int = before) -> None:
                report(Progress("writing", before + sources, total))

            if recipe is not None and part == "training":
                built = build_with_copies(
                    frames_of(of_part), image_size, building / part, recipe, written
                )
            else:
                built = build_frame_set(frames_of(of_part), image_size, building / part, written)
            copies = len(built.copies)
            parts[part] = PreparedPart(
                frames=len(built),
                data_hash=built.data_hash,
                content=_content(building / part, copies),
                copies=copies,
                contents=built.contents,
            )
            del built  # its files are open, and move
            done += sum(case.n_sources for case in of_part)
        note = Prepared(
            image_size=image_size,
            split=listed.sha256,
            cases=_states(data, listed),
            training=parts["training"],
            validation=parts["validation"],
            copies_seed=None if recipe is None else recipe.seed,
            tool_version=TOOL_VERSION,
        )
        (building / NOTE).write_text(note.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return note


def check_is_new(folder: Path) -> None:
    """Refuse a folder that exists, before anything is read."""
    if folder.exists():
        raise TrainingError(f"{folder}: exists already; delete it, or build another")


def read_prepared(folder: Path, data: Path, image_size: int) -> Prepared:
    """Read what was built, and check that it fits.

    Parameters
    ----------
    folder : Path
    data : Path
        The data set that it must have been built from: a case of another size, time of change
        or with other annotated sweeps than then is not the same.
    image_size : int
        That it must have.

    Raises
    ------
    TrainingError
        Where it is no such folder, or was built otherwise.
    """
    try:
        with (folder / NOTE).open("rb") as file:
            content = file.read(_LARGEST)
        note = Prepared.model_validate_json(content)
    except (OSError, ValidationError):
        raise TrainingError(
            f"{folder}: not what `fetal-iqa-train prepare acouslic --build` writes; build it again"
        ) from None
    if note.image_size != image_size:
        raise TrainingError(
            f"{folder}: frames of {note.image_size} pixels, but the encoder takes {image_size}; "
            f"build it with --image-size {image_size}"
        )
    _, listed = listed_cases(data, folder / SPLIT)
    now = _states(data, listed)
    changed = sorted(set(now.items()) ^ set(note.cases.items()))
    if listed.sha256 != note.split or changed:
        what = f"case {changed[0][0][:50]!r} has changed" if changed else "its split has changed"
        raise TrainingError(f"{folder}: {what} since it was built; build it again")
    return note


def open_part(
    folder: Path, note: Prepared, part: Literal["training", "validation"], copies: int = 0
) -> FrameSet:
    """Open the frames of a part and so many copies of each, memory-mapped.

    Raises
    ------
    TrainingError
        Where the files are not those that were built, or fewer copies were.
    """
    expected: PreparedPart = getattr(note, part)
    if expected.copies < copies:
        raise TrainingError(
            f"{folder}: holds {expected.copies} copies of each frame, and {copies} are asked for; "
            f"build it with --copies {copies}, or have copies made anew in each epoch with "
            "--fresh-copies"
        )
    try:
        if _content(folder / part, expected.copies) != expected.content:
            raise OSError(None, "not as it was built")
        frames = open_frame_set(
            folder / part, note.image_size, expected.data_hash, expected.contents
        )
        return replace(frames, copies=open_copies(folder / part, note.image_size, copies))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TrainingError(f"{folder / part}: damaged ({reason}); build it again") from None


def _content(folder: Path, copies: int) -> str:
    digest = hashlib.sha256()
    for place in (folder, *copy_folders(folder, copies)):
        for name in ("frames", "masks", "positive"):
            with (place / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _states(data: Path, listed: SplitList) -> dict[str, str]:
    """What the files of each case that is built, and its annotated sweeps, are now."""
    built = {*listed.training, *listed.validation}
    return {
        case.uuid: _state(case) for case in list_cases(data, must_exist=False) if case.uuid in built
    }


def _state(case: AcouslicCase) -> str:
    # size and time of change, not content: to read it takes as long as building anew
    files = [path.stat() for path in (case.image_path, case.mask_path)]
    known = [
        *((file.st_size, file.st_mtime_ns) for file in files),
        [ac_mm is not None for ac_mm in case.ac_mm],
        case.subject_id,
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
