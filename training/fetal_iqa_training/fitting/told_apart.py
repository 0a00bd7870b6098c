"""Nothing that teaches in a run judges in it: told by names, and frame by frame."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from fetal_iqa_models.cards import Taught
from fetal_iqa_training.data.correction_set import CorrectionSet
from fetal_iqa_training.data.corrections import contents_of, usable_for
from fetal_iqa_training.data.hold_out import split_hold_out, things_of, unit_of
from fetal_iqa_training.data.shared_frames import frame_contents, joined_units, one_in_several
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.finetune_context import FinetuneContext
from fetal_iqa_training.fitting.rehearsed import Rehearsed, cases_that_teach
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.sweep import SweepVolume

_FRAMES_OF_A_CARD = 4000
"""Single frames that a run adds to its card, at most; of more these stand for all."""


def told_apart(
    context: FinetuneContext, rehearsed: Rehearsed, reference: Path | None
) -> tuple[FinetuneContext, Taught]:
    """Open every sweep, leave out of what judges all that teaches, and say what teaches the child.

    What is shared stays with what teaches. A part of a volume that was corrected as a file of its
    own is known by its frames; so is one that a data set holds.

    Parameters
    ----------
    context : FinetuneContext
    rehearsed : Rehearsed
        What teaches the child beside the corrections.
    reference : Path, optional
        The reference that somebody chose: its cases that teach, or taught the base, are left out.

    Returns
    -------
    context : FinetuneContext
        As it was, of the hold-out only what neither the base, nor an ancestor, nor the child learns
        from.
    taught : Taught
        For the child's card.

    Raises
    ------
    TrainingError
        Where all of the reference teaches.
    """
    card, base = context.network.card, context.network.hash
    assert card is not None
    assert base is not None
    lineage = card.lineage(base)
    taught = lineage.having(rehearsed.things)
    split, task = context.corrections.split, context.corrections.task
    sweeps: dict[str, set[str]] = {}
    frames: dict[str, set[str]] = {}
    corrected: set[str] = set()
    for sweep in (*split.training, *split.hold_out):
        volume, identity = context.finder.find(sweep.record), sweep.record.identity
        sweeps[identity] = set(contents_of(sweep, volume))
        frames[identity] = set(frame_contents(volume.frames))
        if sweep in split.training:
            corrected.update(_corrected_contents(sweep, volume, task))
    teaching = rehearsed.frames.union(*(frames[s.record.identity] for s in split.training))
    shared = {
        sweep.record.identity
        for sweep in split.hold_out
        if not frames[sweep.record.identity].isdisjoint(teaching)
    }
    every = (*split.training, *split.hold_out, *split.set_aside)
    contents = {identity: sweeps[identity] | frames[identity] for identity in sweeps}
    apart = split_hold_out(every, task, taught, contents, shared)
    learnt = [thing for sweep in apart.training for thing in things_of(sweep)]
    learnt += [("frames", content) for s in apart.training for content in sweeps[s.record.identity]]
    learnt += [("frames", content) for content in one_in_several(corrected, _FRAMES_OF_A_CARD)]
    joined = _joined((*apart.training, *apart.hold_out), frames)
    now = replace(
        context,
        corrections=CorrectionSet(task, apart),
        joined=joined,
        rehearsed_too=frozenset(
            joined.get(unit_of(sweep), unit_of(sweep))
            for sweep in apart.training
            if not frames[sweep.record.identity].isdisjoint(rehearsed.frames)
        ),
        reference_without=_without(reference, teaching, lineage),
    )
    return now, taught.having(learnt)


def _corrected_contents(sweep: CorrectedSweep, volume: SweepVolume, task: Task) -> set[str]:
    taken = (volume.frames[c.frame] for c in sweep.corrections if usable_for(task, c))
    return set(frame_contents(taken))


def _joined(sweeps: Collection[CorrectedSweep], frames: dict[str, set[str]]) -> dict[str, str]:
    of_unit: dict[str, set[str]] = {}
    for sweep in sweeps:
        of_unit.setdefault(unit_of(sweep), set()).update(frames[sweep.record.identity])
    return joined_units(of_unit)


def _without(reference: Path | None, teaching: Collection[str], lineage: Taught) -> frozenset[str]:
    if reference is None:
        return frozenset()
    known, cases = cases_that_teach(reference, teaching, lineage)
    if len(known) == cases:
        raise TrainingError(
            f"{reference}: all of its cases teach the model, or taught its base, and none can "
            "judge it; give --reference other cases"
        )
    return known
