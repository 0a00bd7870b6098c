"""What a fine-tuning rehearses, by identity: it teaches the child, and so it cannot judge it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from fetal_iqa_models.taught import Taught, Thing
from fetal_iqa_training.data.case_identity import identity_of_case, things_of_case
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.data.shared_frames import frame_contents
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.finetune_context import EarlierData
from napari_fetal_iqa.counted import counted


@dataclass(frozen=True)
class Rehearsed:
    """What is rehearsed.

    Parameters
    ----------
    things : frozenset of Thing
        Its cases, for cards.
    frames : frozenset of str
        Contents of its single frames, to compare with what judges in the same run.
    """

    things: frozenset[Thing] = frozenset()
    frames: frozenset[str] = frozenset()


def what_is_rehearsed(folders: EarlierData, given: EarlierData) -> Rehearsed:
    """Name the cases that are rehearsed, and refuse a reference that has some of them.

    Parameters
    ----------
    folders : EarlierData
        In use.
    given : EarlierData
        What somebody chose: these are compared by their frames as well. The phantoms that a demo
        model has by default are nobody else's.

    Raises
    ------
    TrainingError
        Where the reference holds a case, a subject or frames that are rehearsed.
    SweepError
        Where a folder cannot be read.
    """
    if folders.rehearsal is None:
        return Rehearsed()
    things: set[Thing] = set()
    frames: set[str] = set()
    for case in list_annotated(folders.rehearsal):
        things.update(things_of_case(case.name, case.subject_id))
        if given.rehearsal is not None:
            for source in case.read():
                things.add(("frames", source.content))
                frames.update(frame_contents(source.frames))
    rehearsed = Rehearsed(frozenset(things), frozenset(frames))
    if folders.reference is not None:
        _check_apart(folders.reference, rehearsed, given.reference is not None)
    return rehearsed


def cases_that_teach(
    folder: Path, frames: Collection[str], taught: Taught
) -> tuple[frozenset[str], int]:
    """Name the cases of a data set that judge nothing; return also how many cases it has.

    Parameters
    ----------
    folder : Path
    frames : set of str
        Contents of single frames that teach in this run: a case that holds any of them teaches.
    taught : Taught
        Of the base: what taught it or an ancestor, or chose its epoch, teaches the child, too.
    """
    cases = list_annotated(folder)
    teaching = (case.name for case in cases if _knows(taught, case) or _holds(case, frames))
    return frozenset(teaching), len(cases)


def _knows(taught: Taught, case: AnnotatedCase) -> bool:
    things = tuple(identity_of_case(case))
    return taught.learnt_from(things) or taught.chosen_by(things)


def _holds(case: AnnotatedCase, frames: Collection[str]) -> bool:
    known = set(frames)

    def shared(source: LabelledFrames) -> Iterator[bool]:
        yield from (content in known for content in frame_contents(source.frames))

    return any(any(shared(source)) for source in case.read())


def _check_apart(reference: Path, rehearsed: Rehearsed, by_content: bool) -> None:
    cases = list_annotated(reference)
    shared = [
        case
        for case in cases
        if not rehearsed.things.isdisjoint(things_of_case(case.name, case.subject_id))
        or (by_content and rehearsed.frames and _holds(case, rehearsed.frames))
    ]
    if shared:
        raise TrainingError(
            f"{reference}: {len(shared)} of its {counted(len(cases), 'case')} would be rehearsed, "
            "too, and cannot judge what they teach; give --reference or --rehearse other cases"
        )
