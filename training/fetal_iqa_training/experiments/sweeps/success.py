"""How soon the sweeps of a case bring a frame that can be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_training.evaluation.bootstrap import Estimate, estimated_mean
from fetal_iqa_training.experiments.sweeps.case import (
    ChooseFrame,
    SweepCase,
    Thresholds,
)
from fetal_iqa_training.experiments.sweeps.orders import (
    found_within,
    good_after,
    sets_of_sweeps,
    sweeps_done,
)
from napari_fetal_iqa.labels import Label

Goal = Literal["annotated", "optimal"]
GOALS: Final[tuple[Goal, ...]] = ("annotated", "optimal")

_Curves = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Success:
    """How soon a good frame is found, over the cases that have one.

    Parameters
    ----------
    goal : {"annotated", "optimal"}
        What a good frame is: one that an expert outlined, or one with the optimal plane.
    cases : int
        That have a good frame; all below is over these, and empty or None where there are none.
    usual, any_order : tuple of Estimate
        Share of cases whose chosen frame is good after 1, 2, ... sweeps, done in their usual order
        or, exactly, in the mean over all orders. May fall with more sweeps: another may be chosen.
    there_usual, there_any_order : tuple of Estimate
        Share of cases whose sweeps so far hold a good frame, whatever is chosen: the most that can
        be reached.
    found, found_any_order : Estimate
        Share of searches that find a good frame, each stopped as soon as the chosen frame is good.
    sweeps_needed, sweeps_needed_any_order : Estimate
        Mean number of sweeps of such a search; all of a case's where it finds none.
    """

    goal: Goal
    cases: int
    usual: tuple[Estimate, ...]
    any_order: tuple[Estimate, ...]
    there_usual: tuple[Estimate, ...]
    there_any_order: tuple[Estimate, ...]
    found: Estimate
    found_any_order: Estimate
    sweeps_needed: Estimate
    sweeps_needed_any_order: Estimate

    @property
    def curves(self) -> dict[str, tuple[Estimate, ...]]:
        """The shares over the sweeps done, by name."""
        names = ("usual", "any_order", "there_usual", "there_any_order")
        return {name: getattr(self, name) for name in names}

    @property
    def searches(self) -> dict[str, Estimate]:
        """What searches find and take, by name."""
        names = ("found", "found_any_order", "sweeps_needed", "sweeps_needed_any_order")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, JsonValue]:
        """Return everything but the goal."""
        return {
            "cases": self.cases,
            **{name: [one.as_json() for one in curve] for name, curve in self.curves.items()},
            **{name: found.as_json() for name, found in self.searches.items()},
        }


def success_over_sweeps(
    cases: Sequence[SweepCase],
    choose: ChooseFrame,
    thresholds: Thresholds,
    smoothing_frames: float,
    seed: int = 0,
) -> tuple[Success, ...]:
    """Find out for each goal how soon it is reached; exact over all orders of a case's sweeps.

    A case with fewer sweeps than another is done with its last one. Parameters as of
    :func:`~fetal_iqa_training.experiments.sweeps.study.study_sweeps`.

    Returns
    -------
    tuple of Success
        One a goal.
    """
    found: dict[Goal, list[_Curves]] = {goal: [] for goal in GOALS}
    units: dict[Goal, list[str]] = {goal: [] for goal in GOALS}
    for case in cases:
        sets = sets_of_sweeps(case.n_sweeps)
        frames = np.array(
            [case.choose(choose, thresholds, smoothing_frames, sweeps) for sweeps in sets]
        )
        for goal in GOALS:
            good = case.labels > 0 if goal == "annotated" else case.labels == Label.OPTIMAL
            if good.any():
                there = [bool(good[np.isin(case.sweep, sweeps)].any()) for sweeps in sets]
                chosen = (frames >= 0) & good[frames]
                found[goal].append(_of_case(chosen, np.array(there)))
                units[goal].append(case.unit)
    n_sweeps = max(case.n_sweeps for case in cases)
    return tuple(_over_cases(goal, found[goal], units[goal], n_sweeps, seed) for goal in GOALS)


def _of_case(chosen: NDArray[np.bool_], there: NDArray[np.bool_]) -> _Curves:
    """Return (n,) curves of one case, of what is chosen and what there is, set by set."""
    usual, any_order = good_after(chosen)
    there_usual, there_any_order = good_after(there)
    within, within_any_order = found_within(chosen)
    return {
        "usual": usual,
        "any_order": any_order,
        "there_usual": there_usual,
        "there_any_order": there_any_order,
        "found": within[-1:],
        "found_any_order": within_any_order[-1:],
        "sweeps_needed": np.array([sweeps_done(within)]),
        "sweeps_needed_any_order": np.array([sweeps_done(within_any_order)]),
    }


def _over_cases(
    goal: Goal, found: list[_Curves], units: list[str], n_sweeps: int, seed: int
) -> Success:
    def curve(name: str) -> tuple[Estimate, ...]:
        if not found:
            return ()
        of_cases = np.stack(
            [np.pad(one[name], (0, n_sweeps - len(one[name])), mode="edge") for one in found]
        )
        return tuple(estimated_mean(column, seed, units) for column in of_cases.T)

    def single(name: str) -> Estimate:
        return estimated_mean([float(one[name][0]) for one in found], seed, units)

    return Success(
        goal,
        len(found),
        usual=curve("usual"),
        any_order=curve("any_order"),
        there_usual=curve("there_usual"),
        there_any_order=curve("there_any_order"),
        found=single("found"),
        found_any_order=single("found_any_order"),
        sweeps_needed=single("sweeps_needed"),
        sweeps_needed_any_order=single("sweeps_needed_any_order"),
    )
