"""Several data sets as one: a folder with a list of folders.

::

    collection.json    {"parts": [{"folder": "../planes", "subjects": "fetal_planes"},
                                  {"folder": "../heads", "other_anatomy": true}]}
    split.json         who trains and who judges, of all of them

``fetal-iqa-train prepare collection`` writes both. Folders may be relative to the collection's own.
With ``other_anatomy`` all frames of a part count as showing no abdomen, whatever is outlined in
them. Parts with the same ``subjects`` count the same people by the same names; by default each part
has people of its own. ``subject_of`` names the subject of cases that do not themselves, and
``left_out`` lists cases that may be of a subject on the other side. Of two cases of one name and
one subject the first counts.
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.storage.paths import read_small_text

COLLECTION = "collection.json"


class Part(BaseModel):
    """One data set of a collection; see the module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Annotated[str, Field(min_length=1)]
    other_anatomy: bool = False
    subjects: str = ""
    subject_of: dict[str, str] = {}
    left_out: tuple[str, ...] = ()


class CollectionList(BaseModel):
    """What ``collection.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[Part, ...] = Field(min_length=1)


def is_collection(folder: Path) -> bool:
    """Whether a folder has the list of a collection."""
    return (folder / COLLECTION).is_file()


def write_collection(folder: Path, parts: Collection[Part]) -> None:
    """Write the list into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = CollectionList(parts=tuple(parts)).model_dump(exclude_defaults=True)
    write_atomically(folder / COLLECTION, json.dumps(listed, indent=2) + "\n")


def origin_of(folder: Path, origin: Callable[[Path], JsonValue]) -> JsonValue:
    """Return what a collection is made of, for the cards of models: the names of its folders."""
    return {
        "collection": [
            {"data": place.name, "other_anatomy": part.other_anatomy, "origin": origin(place)}
            for place, part in collected_folders(folder)
        ]
    }


def collected_folders(folder: Path) -> tuple[tuple[Path, Part], ...]:
    """Return the folders of a collection, each with what the list says of it.

    Raises
    ------
    TrainingError
        Where the list cannot be read, or a part is a collection again.
    """
    path = folder / COLLECTION
    try:
        listed = CollectionList.model_validate_json(read_small_text(path))
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(f"{path}: not a list of data sets ({reason})") from None
    found = tuple(((folder / part.folder).resolve(), part) for part in listed.parts)
    for place, _ in found:
        if is_collection(place):
            raise TrainingError(f"{path}: {place.name} is a collection itself; list its parts")
    return found


def of_part(cases: Collection[AnnotatedCase], place: Path, part: Part) -> Iterator[AnnotatedCase]:
    """Return the cases of a part as the collection sees them."""
    people = part.subjects or place.name
    for case in cases:
        if case.name in part.left_out:
            continue
        told = part.subject_of.get(case.name)
        subject = f"{people}/{case.subject_id if told is None else told}"
        read = partial(_read, case, subject, part.other_anatomy)
        # whose subject is told may be held back by another data set, which knows more
        held_back = case.held_back if told is None else None
        yield replace(case, subject_id=subject, read=read, held_back=held_back)


def _read(case: AnnotatedCase, subject: str, other_anatomy: bool) -> Iterator[LabelledFrames]:
    for source in case.read():
        source = replace(source, subject=subject)
        if other_anatomy:
            source = replace(
                source,
                masks=np.zeros_like(source.masks),
                positive=np.zeros_like(source.positive),
                spacing_mm=None,
            )
        yield source
