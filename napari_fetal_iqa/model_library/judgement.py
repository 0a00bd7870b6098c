"""Is a child worse than its parent: by frames, outlines and circumference together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from napari_fetal_iqa.model_library.comparison import (
    Intervals,
    IntervalsBySet,
    Metrics,
    MetricsBySet,
    ModelComparison,
    Units,
    UnitsBySet,
)

JUDGED_BY: Mapping[str, tuple[str, ...]] = {
    "cls": ("f1",),
    "seg": (
        *("f1", "dice", "circumference_error_mm", "circumference_error_percent"),
        "circumference_kept",
    ),
}
"""The metrics that a child is judged by, all of them: a better Dice may hide a worse AC.

The error of the circumference is of the frames that both models measure; in percent where the scale
is not known of all of them. ``circumference_kept`` is the share of the frames measured by the
parent that the child measures, too: else losing hard outlines would pay.
"""

LESS_IS_BETTER = frozenset({"circumference_error_mm", "circumference_error_percent"})

LET_PASS: Mapping[str, float] = {"circumference_kept": 0.05}
"""How far a metric may fall anywhere and is as good. Chosen: frames at the edge come and go."""

MARGIN: Mapping[str, float] = {
    "f1": 0.01,
    "dice": 0.01,
    "circumference_error_mm": 1.0,
    "circumference_error_percent": 0.4,
}
"""How far a metric of the reference may fall where it is not sure that it fell.

Chosen, not measured: a little of what the parent knew is always forgotten, and where no interval
tells that from a loss, a hundredth of F1 or Dice and a millimetre of AC, or without a scale 0.4 %,
a millimetre of 250, are let pass with a remark. More than that counts whatever the intervals say:
one that is wide around 0 is no proof that nothing was lost.
"""

INSTEAD = {"circumference_error_percent": "circumference_error_mm"}
"""Judged only where the other is not there."""

_IN_WORDS = {
    "f1": "F1",
    "dice": "Dice",
    "circumference_error_mm": "AC error in mm",
    "circumference_error_percent": "AC error in %",
    "circumference_kept": "share measured of the frames that its parent measured",
}


@dataclass(frozen=True)
class Move:
    """One metric of a child beside its parent's, on the same frames.

    Parameters
    ----------
    name : str
    before, after : float
    sure : bool
        The 95 % interval of the difference is known and on the side of the change.
    told : bool
        There is such an interval; there is none of fewer than five units.
    """

    name: str
    before: float
    after: float
    sure: bool
    told: bool = True

    @property
    def worse(self) -> bool:
        """Whether the child does worse."""
        return self._fall > LET_PASS.get(self.name, 0.0)

    @property
    def beyond_margin(self) -> bool:
        """Whether the child does worse by more than the margin."""
        return self.worse and self._fall > MARGIN.get(self.name, 0.0)

    @property
    def _fall(self) -> float:
        rise = self.after - self.before
        rise = round(rise, 6)  # cards round, and 0.93 - 0.92 > 0.01
        return rise if self.name in LESS_IS_BETTER else -rise

    def __str__(self) -> str:
        """Write as ``F1 0.7, before 0.8``."""
        return f"{_IN_WORDS[self.name]} {self.after}, before {self.before}"


@dataclass(frozen=True)
class Judgement:
    """How a child compares with its parent.

    Parameters
    ----------
    hold_out, reference : tuple of Move
        The metrics by which it is judged, on what neither learnt from and on what the parent knew.
    units : Units or None
        What the intervals of the hold-out resample.
    """

    hold_out: tuple[Move, ...]
    reference: tuple[Move, ...]
    units: Units | None = None

    @property
    def worse(self) -> tuple[Move, ...]:
        """What got worse on the hold-out, be it by chance."""
        return tuple(move for move in self.hold_out if move.worse)

    @property
    def forgotten(self) -> tuple[Move, ...]:
        """What got worse on the reference: surely, or by more than the margin, be it by chance.

        A little of it is always forgotten.
        """
        return tuple(
            move for move in self.reference if move.worse and (move.sure or move.beyond_margin)
        )

    @property
    def slipped(self) -> tuple[Move, ...]:
        """What got worse on the reference within the margin, and not surely."""
        return tuple(
            move for move in self.reference if move.worse and not (move.sure or move.beyond_margin)
        )

    @property
    def doubt_of_reference(self) -> str:
        """Why what is forgotten is not sure; empty where any of it is."""
        return _doubt_of(self.forgotten)

    @property
    def doubt_of_slips(self) -> str:
        """Why what slipped is not sure."""
        return _doubt_of(self.slipped)

    @property
    def doubt(self) -> str:
        """Why the hold-out may mislead: too few units, or intervals around 0; empty where not."""
        if self.units is not None and not self.units.enough:
            return f"{self.units}: too few to tell"
        return "" if any(move.sure for move in self.worse) else "which may be chance"

    @property
    def verdict(self) -> str | None:
        """What is worse, in words; None where nothing is, or nothing is known."""
        parts = []
        if self.worse:
            known = self.units is not None or any(move.sure for move in self.hold_out)
            doubt = f" ({self.doubt})" if known and self.doubt else ""
            moves = "; ".join(map(str, self.worse))
            parts.append(f"worse than its parent on the hold-out: {moves}{doubt}")
        if self.forgotten:
            moves = "; ".join(map(str, self.forgotten))
            doubt = f" ({self.doubt_of_reference})" if self.doubt_of_reference else ""
            parts.append(f"worse than its parent on the reference: {moves}{doubt}")
        return ", and ".join(parts) or None


def _doubt_of(moves: tuple[Move, ...]) -> str:
    if not moves or any(move.sure for move in moves):
        return ""
    return "which may be chance" if all(move.told for move in moves) else "too few to be sure"


def judge_child(comparison: ModelComparison, task: str) -> Judgement:
    """Judge a child by what its card says of itself and its parent."""
    parent, child = comparison.parent or MetricsBySet(), comparison.child or MetricsBySet()
    intervals = comparison.intervals or IntervalsBySet()
    units = comparison.units or UnitsBySet()
    return Judgement(
        _moves(task, parent.hold_out, child.hold_out, intervals.hold_out),
        _moves(task, parent.reference, child.reference, intervals.reference),
        units.hold_out,
    )


def _moves(
    task: str, before: Metrics | None, after: Metrics | None, intervals: Intervals | None
) -> tuple[Move, ...]:
    moves: list[Move] = []
    for name in JUDGED_BY.get(task, ()):
        was, now = _finite((before or {}).get(name)), _finite((after or {}).get(name))
        judged = {move.name for move in moves}
        if was is not None and now is not None and INSTEAD.get(name) not in judged:
            of_metric = (intervals or {}).get(name)
            low, high = (of_metric and of_metric.difference) or (math.nan, math.nan)
            sure = low > 0 if now > was else high < 0  # NaN is never sure
            moves.append(Move(name, was, now, sure, math.isfinite(low) and math.isfinite(high)))
    return tuple(moves)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
