"""Which corrected sweeps judge a model and never train it: the same ones in every run."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fetal_iqa_models.cards import Taught
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.corrections import count_usable
from fetal_iqa_training.settings import Task
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep

LEAST_OF_EACH = 5
"""Fewest positive frames, and for frame quality negative ones, that a hold-out can judge by."""

_ONE_IN = 5


@dataclass(frozen=True)
class CorrectionSplit:
    """Corrected sweeps to train on, and those to be judged by.

    Parameters
    ----------
    training : tuple of CorrectedSweep
    hold_out : tuple of CorrectedSweep
        Never trained on, and neither was an ancestor; none where they are too few to judge by.
    set_aside : tuple of CorrectedSweep
        Held out, and of no use: too few, or known to an ancestor of an earlier version's.
    taught_before : bool
        Whether some of these were left out because an ancestor learnt from them.
    lineage_known : bool
        False where an ancestor's card does not say which corrections taught it: nothing judges.
    unrecorded : bool
        Whether the base, or an ancestor, was fitted to data that its card does not name, or to
        subjects that an earlier version did not note: these may be what judges.
    shared : int
        How many of these were left out because frames of theirs teach in the same run.
    """

    training: tuple[CorrectedSweep, ...]
    hold_out: tuple[CorrectedSweep, ...]
    set_aside: tuple[CorrectedSweep, ...] = ()
    taught_before: bool = False
    lineage_known: bool = True
    unrecorded: bool = False
    shared: int = 0


def is_held_out(identity: str) -> bool:
    """Return whether a subject, or a sweep of an unknown one, is for judging.

    From the subject's salted hash or the sweep's content identity alone: one in five is, and stays
    so as the store grows, on every machine and for every model that is ever made from it.
    """
    return int(hashlib.sha256(identity.encode()).hexdigest(), 16) % _ONE_IN == 0


def unit_of(sweep: CorrectedSweep) -> str:
    """Return what is never divided: the subject whose sweep it is, else the sweep."""
    return sweep.subject or sweep.record.identity


def things_of(sweep: CorrectedSweep) -> Iterator[Thing]:
    """Name what a corrected sweep is to a card that records what taught."""
    yield "sweep", sweep.record.identity
    if sweep.subject is not None:
        yield "subject", sweep.subject


def split_hold_out(
    sweeps: Sequence[CorrectedSweep],
    task: Task,
    taught: Taught | None = None,
    contents: Mapping[str, Collection[str]] | None = None,
    shared: Collection[str] = (),
) -> CorrectionSplit:
    """Set sweeps aside to judge by.

    Neighbouring frames are alike, and so are the sweeps of one subject: neither is ever divided.
    What is held out never trains, however few they are; where they have fewer than 5 positive
    frames (or, for frame quality, fewer than 5 negative ones), nothing judges.

    Parameters
    ----------
    sweeps : sequence of CorrectedSweep
    task : {"cls", "seg"}
    taught : Taught, optional
        What the base and its ancestors learnt from: that judges none of their children.
    contents : mapping of str to collection of str, optional
        Hashes of each volume's single sweeps, by its identity, where they are known: the base may
        have been fitted to a data set that holds them.
    shared : collection of str
        Identities of the sweeps with frames that teach in the same run, under whatever name.

    Returns
    -------
    CorrectionSplit
    """
    held = [sweep for sweep in sweeps if is_held_out(unit_of(sweep))]
    training = tuple(sweep for sweep in sweeps if not is_held_out(unit_of(sweep)))
    known = {unit_of(s) for s in sweeps if taught and _has_taught(s, taught, contents or {})}
    teaching = {unit_of(s) for s in held if s.record.identity in shared}
    unseen = tuple(sweep for sweep in held if unit_of(sweep) not in known | teaching)
    positives, negatives = count_usable(unseen, task)
    enough = positives >= LEAST_OF_EACH and (task == "seg" or negatives >= LEAST_OF_EACH)
    lineage_known = taught is None or taught.complete
    judging = unseen if enough and lineage_known else ()
    return CorrectionSplit(
        training,
        judging,
        tuple(sweep for sweep in held if sweep not in judging),
        len(unseen) < len(held),
        lineage_known,
        taught is not None
        and (not taught.known or any(taught.may_lack(things_of(sweep)) for sweep in unseen)),
        sum(unit_of(sweep) in teaching for sweep in held),
    )


def _has_taught(
    sweep: CorrectedSweep, taught: Taught, contents: Mapping[str, Collection[str]]
) -> bool:
    frames = contents.get(sweep.record.identity, ())
    return taught.learnt_from([*things_of(sweep), *(("frames", content) for content in frames)])
