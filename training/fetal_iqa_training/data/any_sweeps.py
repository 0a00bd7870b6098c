"""Sweeps with or without annotations: what a student learns from, by what they are known again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.collection import is_collection
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.hc18 import find_table
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.subject_sources import subject_of_file
from napari_fetal_iqa.corrections.subjects import joined
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames
from napari_fetal_iqa.io.acouslic import TABLE
from napari_fetal_iqa.io.discovery import SweepSource, look_into
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.sweep import SweepVolume


@dataclass(frozen=True)
class AnySweep:
    """One examination, annotated or not.

    Parameters
    ----------
    name : str
        For people.
    read : callable
        Reads all of its frames anew at every call, one sweep at a time; what their masks and labels
        say means nothing.
    truth : callable, optional
        Reads the frames that somebody annotated, with what was annotated.
    things : tuple of Thing
        What cards know it by: its case and its subject, but not yet its frames.
    held_back : bool
        Whoever published it keeps it for judging.
    """

    name: str
    read: Callable[[], Iterator[LabelledFrames]] = field(compare=False)
    truth: Callable[[], Iterator[LabelledFrames]] | None = field(default=None, compare=False)
    things: tuple[Thing, ...] = ()
    held_back: bool = False

    @property
    def unit(self) -> str:
        """By what it is held out, as corrected sweeps are: the key of its subject, else itself."""
        named = dict(self.things)
        return named.get("subject") or named.get("sweep") or self.name


def list_sweeps(folder: Path, stores: Sequence[Path] = ()) -> tuple[AnySweep, ...]:
    """List what a folder holds of sweeps, or of annotated images; no label is needed.

    Parameters
    ----------
    folder : Path
        Sweeps in any format that opens in the window, or a data set as
        :func:`~fetal_iqa_training.data.datasets.list_annotated` takes it.
    stores : sequence of Path
        Corrections stores, which say whose sweeps some are.

    Raises
    ------
    SweepError, TrainingError, StoreError
        Where there is no sweep, or a file cannot be read.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder}: there is no such folder; give the one that has the sweeps")
    if (folder / TABLE).is_file():
        annotated = {case.name: case for case in list_annotated(folder)}
        return tuple(_of_case(case, annotated.get(case.uuid)) for case in list_cases(folder))
    if is_collection(folder) or find_table(folder) or (folder / "annotations.csv").is_file():
        return tuple(_of_images(case) for case in list_annotated(folder))
    subjects = _subjects(stores)
    found = tuple(_of_file(source, subjects) for source in look_into(folder).sweeps)
    if not found:
        raise TrainingError(f"{folder}: holds no sweep; give the folder that has the sweeps")
    return found


def _of_case(case: AcouslicCase, annotated: AnnotatedCase | None) -> AnySweep:
    def read() -> Iterator[LabelledFrames]:
        yield from _parts(open_frames(case), case.uuid, case.subject_id)

    return AnySweep(
        case.uuid,
        read,
        annotated.read if annotated else None,
        tuple(things_of_case(case.uuid, case.subject_id)),
        bool(annotated and annotated.held_back),
    )


def _of_images(case: AnnotatedCase) -> AnySweep:
    things = tuple(things_of_case(case.name, case.subject_id))
    return AnySweep(case.name, case.read, case.read, things, bool(case.held_back))


def _of_file(source: SweepSource, subjects: Mapping[str, str]) -> AnySweep:
    identity = read_source(source).identity
    things: list[Thing] = [("sweep", identity)]
    if identity in subjects:
        things.append(("subject", subjects[identity]))
    elif (named := subject_of_file(source.path)) is not None:
        things += things_of_case(source.path.stem, named)

    def read() -> Iterator[LabelledFrames]:
        yield from _parts(read_source(source), source.name, subjects.get(identity))

    return AnySweep(source.name, read, None, tuple(things))


def _parts(volume: SweepVolume, name: str, subject: str | None) -> Iterator[LabelledFrames]:
    for number, (start, stop) in enumerate(volume.bounds):
        frames = np.asarray(volume.frames[start:stop])
        yield LabelledFrames(
            sweep=f"{name}, sweep {number + 1}",
            frames=frames,
            masks=np.zeros((stop - start, 1, 1), bool),
            positive=np.zeros(stop - start, bool),
            spacing_mm=volume.spacing_mm,
            field_of_view=volume.field_of_view,
            subject=subject,
            case=name,
        )


def _subjects(stores: Sequence[Path]) -> dict[str, str]:
    """Return the subject's key of each sweep that a store knows the subject of."""
    keys: dict[str, list[str]] = {}
    for path in stores:
        if not path.is_file():
            raise TrainingError(f"{path}: there is no corrections store; check the path")
        with CorrectionStore(path, "ro") as store:
            for identity, whose in store.subjects().items():
                keys.setdefault(identity, []).append(whose.key)
    return joined(keys)
