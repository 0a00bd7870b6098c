"""Whose planes make which case: no image serves two subjects' cases, and no two parts meet."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetal_iqa_training.data.outlines import PlaneEllipse
from fetal_iqa_training.data.planes import Part, PlaneImage, original_size, read_planes
from fetal_iqa_training.errors import TrainingError


@dataclass(frozen=True)
class SubjectPlanes:
    """What the cases of one subject are made of.

    Parameters
    ----------
    subject : str
    abdomens : tuple of (PlaneImage, PlaneEllipse)
        Its abdomens that have an outline.
    others : tuple of PlaneImage
        Its other planes, and those of subjects without an outlined abdomen who are lent to it
        alone.
    """

    subject: str
    abdomens: tuple[tuple[PlaneImage, PlaneEllipse], ...]
    others: tuple[PlaneImage, ...]


def subjects_of(
    folder: Path, part: Part, outlines: Mapping[str, PlaneEllipse]
) -> tuple[SubjectPlanes, ...]:
    """List the subjects of a part with an outlined abdomen, in an order that says nothing.

    Parameters
    ----------
    folder : Path
        Of planes, with a list that splits the subjects.
    part : {"train", "val"}
    outlines : mapping
        Ellipse of the abdomen by name of the file.

    Raises
    ------
    TrainingError
        Where the list splits no subjects, no subject of the part has an outlined abdomen, or an
        outline is not on its image.
    """
    listed = read_planes(folder)
    if not any(image.part for image in listed):
        raise TrainingError(
            f"{folder}: its list splits no subjects; it needs a column subject_split with train or "
            "val, or those whom a model learnt from could judge it"
        )
    images = [image for image in listed if image.part == part]
    by_subject: defaultdict[str, list[PlaneImage]] = defaultdict(list)
    for image in images:
        by_subject[image.subject].append(image)
    abdomens = {
        subject: tuple(
            (image, outlines[image.path.name])
            for image in sorted(owned, key=lambda image: image.path.name)
            if image.plane == "abdomen" and image.path.name in outlines
        )
        for subject, owned in by_subject.items()
    }
    for image, outline in (pair for own in abdomens.values() for pair in own):
        outline.check_centre(original_size(image), str(image.path))
    judged = sorted((subject for subject, own in abdomens.items() if own), key=_place)
    if not judged:
        raise TrainingError(
            f"{folder}: no abdomen of part {part!r} has an outline; choose the folder of planes "
            "that the outlines were drawn on"
        )
    # An abdomen without an outline is no distractor: there is one to find, and nobody says where.
    lenders = sorted((subject for subject, own in abdomens.items() if not own), key=_place)
    return tuple(
        SubjectPlanes(
            subject,
            abdomens[subject],
            _others(by_subject, (subject, *lenders[number :: len(judged)])),
        )
        for number, subject in enumerate(judged)
    )


def _others(
    by_subject: Mapping[str, Sequence[PlaneImage]], whose: Sequence[str]
) -> tuple[PlaneImage, ...]:
    shown = ("thorax", "brain", "femur")
    images = (image for subject in whose for image in by_subject[subject] if image.plane in shown)
    return tuple(sorted(images, key=lambda image: image.path.name))


def _place(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
