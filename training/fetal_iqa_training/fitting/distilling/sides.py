"""Which sweeps teach a student, which choose its epoch, and which judge it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fetal_iqa_models.cards import Taught
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.any_sweeps import AnySweep
from fetal_iqa_training.data.hold_out import is_held_out
from fetal_iqa_training.data.shared_frames import frame_contents, joined_units
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report, silent
from napari_fetal_iqa.counted import counted


@dataclass(frozen=True)
class Known:
    """A sweep, and all by which it is known again.

    Parameters
    ----------
    sweep : AnySweep
    things : tuple of Thing
        With the contents of its single sweeps.
    frames : frozenset of str
        Contents of its single frames.
    lengths : tuple of int
        Frames of each of its single sweeps.
    """

    sweep: AnySweep
    things: tuple[Thing, ...]
    frames: frozenset[str]
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Sides:
    """Sweeps by what they are for.

    Parameters
    ----------
    teach, choose, judge : tuple of Known
        ``judge`` neither taught nor chose for the teacher or an ancestor, nor will for the student.
    set_aside : tuple of Known
        Held out, and of no use to judge: the teacher, or an ancestor, knew a part of it.
    """

    teach: tuple[Known, ...]
    choose: tuple[Known, ...]
    judge: tuple[Known, ...]
    set_aside: tuple[Known, ...] = ()

    def in_words(self) -> str:
        """Say how many sweeps are on each side."""
        teach, choose, judge = (len(side) for side in (self.teach, self.choose, self.judge))
        words = f"of the examinations {teach} teach, {choose} choose the epoch, {judge} judge"
        aside = f", {len(self.set_aside)} held out cannot" if self.set_aside else ""
        return words + aside


def known(sweeps: Sequence[AnySweep], report: Report = silent) -> tuple[Known, ...]:
    """Read all sweeps once, to know them again under any name."""
    found = []
    for done, sweep in enumerate(sweeps, start=1):
        things, frames, lengths = list(sweep.things), set[str](), []
        for source in sweep.read():
            things.append(("frames", source.content))
            frames.update(frame_contents(source.frames))
            lengths.append(len(source.frames))
        found.append(Known(sweep, tuple(things), frozenset(frames), tuple(lengths)))
        report(Progress("reading", done, len(sweeps)))
    return tuple(found)


def choose_sides(
    sweeps: Sequence[Known], taught: Taught, validation_share: float, seed: int
) -> Sides:
    """Divide sweeps so that what was held out stays so, through the whole lineage.

    The sweeps of one subject, and those that share frames, stay together. What was set aside to
    judge the teacher judges the student, as do those that whoever published them holds back and,
    by hash, one in five as of corrected sweeps. What taught the teacher may teach the student, and
    what chose its epoch chooses again.

    Parameters
    ----------
    sweeps : sequence of Known
    taught : Taught
        What taught the teacher and its ancestors.
    validation_share : float
        Of the others, by subject, where nothing chose before.
    seed : int

    Raises
    ------
    TrainingError
        Where nothing is left to teach or to choose the epoch.
    """
    groups: dict[str, list[Known]] = {}
    for group in _together(sweeps):
        groups[min(one.sweep.unit for one in group)] = group
    sides: dict[str, list[str]] = {
        name: [] for name in ("teach", "choose", "judge", "aside", "free")
    }
    for name, group in groups.items():
        sides[_side(group, taught)].append(name)
    free = sorted(sides["free"])
    np.random.default_rng(seed).shuffle(free)
    wanted = 0 if sides["choose"] else max(1, round(validation_share * len(free)))
    chosen, rest = free[:wanted], free[wanted:]
    if not chosen and not sides["choose"]:  # all that may teach has taught before
        chosen, sides["teach"] = sides["teach"][:1], sides["teach"][1:]
    names = {
        "teach": [*sides["teach"], *rest],
        "choose": [*sides["choose"], *chosen],
        "judge": sides["judge"],
        "set_aside": sides["aside"],
    }
    found = Sides(**{side: tuple(_of(groups, listed)) for side, listed in names.items()})
    if not found.teach or not found.choose:
        held = counted(len(found.judge) + len(found.set_aside), "examination")
        raise TrainingError(
            f"of {counted(len(groups), 'subject')} {held} are held out, and too few are left: one "
            "is needed to teach and one to choose the epoch; add sweeps of other subjects"
        )
    return found


def _of(groups: dict[str, list[Known]], names: Sequence[str]) -> Iterator[Known]:
    for name in names:
        yield from groups[name]


def _together(sweeps: Sequence[Known]) -> Iterator[list[Known]]:
    """Yield the sweeps of each subject, with those that share a thing or a frame with them."""
    contents = {
        place: {*one.frames, one.sweep.unit, *(f"{kind} {of}" for kind, of in one.things)}
        for place, one in enumerate(sweeps)
    }
    first = joined_units(contents)
    of: dict[int, list[Known]] = {}
    for place, one in enumerate(sweeps):
        of.setdefault(first.get(place, place), []).append(one)
    yield from of.values()


def _side(group: Sequence[Known], taught: Taught) -> str:
    things = [thing for one in group for thing in one.things]
    things += [("frames", content) for one in group for content in one.frames]
    learnt, chose = taught.learnt_from(things), taught.chosen_by(things)
    held = any(one.sweep.held_back for one in group) or taught.tested_on(things)
    if held or any(is_held_out(one.sweep.unit) for one in group):
        known_before = learnt or chose or not taught.complete
        if known_before and not held:
            # one in five by hash, which a split by seed did not know of
            return "teach" if learnt else "choose" if chose else "aside"
        return "aside" if known_before else "judge"
    return "teach" if learnt else "choose" if chose else "free"
