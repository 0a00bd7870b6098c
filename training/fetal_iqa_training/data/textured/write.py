"""Cases with real texture in the layout of ACOUSLIC-AI, as drawn phantoms are written."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.datasets import ORIGIN, origin
from fetal_iqa_training.data.outlines import PlaneEllipse
from fetal_iqa_training.data.phantoms import Size, ac_per_sweep, known_cases, settings_of
from fetal_iqa_training.data.planes import Part
from fetal_iqa_training.data.textured.simulation import TexturedSimulation
from fetal_iqa_training.data.textured.subjects import SubjectPlanes, subjects_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.phantom.case import render_case
from napari_fetal_iqa.version import TOOL_VERSION

SOURCE = (
    "standard planes of FETAL_PLANES_DB, Burgos-Artizzu et al., Scientific Reports 10 (2020) "
    "10200, Zenodo record 3904280"
)
LICENCE = "CC BY 4.0"


def write_textured(
    folder: Path,
    planes: Path,
    outlines: Mapping[str, PlaneEllipse],
    cases: int,
    *,
    part: Part = "val",
    seed: int = 0,
    size: Size = "training",
    shifted: bool = False,
    report: Report = silent,
) -> None:
    """Write cases whose tissue is that of real standard planes.

    Case k is of the subject in place ``seed + k`` of the part's subjects, round and round, in an
    order of their own; its circumference in mm is drawn, for the planes tell no scale. Cases that
    the folder already has are kept, so that a run that was cut off goes on. A note of these
    settings, of the images' source and of their licence stays in the folder.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    planes : Path
        Folder of planes, with a list that splits the subjects.
    outlines : mapping
        Ellipse of the abdomen by name of the file.
    cases : int
    part : {"train", "val"}
        Of the split; no image of the other part is looked at.
    seed : int
    size : {"small", "demo", "acouslic", "training"}
    shifted : bool
        Seen by another scanner.
    report : callable, optional

    Raises
    ------
    TrainingError
        Where no case is requested, the planes cannot be read, or no abdomen of the part has an
        outline, or the folder has cases of other planes or outlines.
    SweepError
        Where the folder cannot be written or holds something else.
    """
    if cases < 1:
        raise TrainingError(f"{cases} cases: ask for 1 or more")
    subjects = subjects_of(planes, part, outlines)
    kinds = settings_of(size)
    there = known_cases(folder)
    made: dict[str, JsonValue] = {
        "size": size,
        "cases": cases,
        "seed": seed,
        "shifted": shifted,
        "part": part,
    }
    note: dict[str, JsonValue] = {
        "textured": made,
        "texture": {"source": SOURCE, "licence": LICENCE, "hash": _hash(subjects)},
        "scale": "the circumference in mm is drawn: the planes tell no scale",
        "tool_version": TOOL_VERSION,
    }
    before = origin(folder)
    if there and (not isinstance(before, dict) or before.get("texture") != note["texture"]):
        raise TrainingError(
            f"{folder}: its cases are of other planes, another part or other outlines; choose a "
            "new folder"
        )
    noted = False

    def write_note() -> None:
        write_atomically(folder / ORIGIN, json.dumps(note, indent=2) + "\n")

    for number in range(cases):
        chosen = subjects[(seed + number) % len(subjects)]
        settings = kinds[number % len(kinds)]
        settings = settings.shifted() if shifted else settings
        name = f"textured-{part}-{size}{'-shifted' if shifted else ''}-{seed + number:06d}"
        if name not in there:
            case = render_case(TexturedSimulation(settings, chosen, seed + number))
            # before the first case: a run that was cut off goes on only with the same planes and
            # outlines; and not before it is rendered, which a damaged image prevents
            if not noted:
                write_note()
                noted = True
            write_case(
                folder, name, case.sweep, case.masks, ac_per_sweep(case), subject_id=chosen.subject
            )
        report(Progress("writing", number + 1, cases))
    if not noted:
        write_note()


def _hash(subjects: Sequence[SubjectPlanes]) -> str:
    """Hash of all that the cases are made of: images by name, and outlines."""
    known = [
        (
            one.subject,
            [(image.path.name, astuple(ellipse)) for image, ellipse in one.abdomens],
            [(image.path.name, image.plane) for image in one.others],
        )
        for one in subjects
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
