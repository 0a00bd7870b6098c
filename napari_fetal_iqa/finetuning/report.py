"""Is the child better than its parent: the trainer's metrics as rows, a verdict, and frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from fetal_iqa_models.cards import load_card, model_id
from napari_fetal_iqa.finetuning.events import DoneEvent
from napari_fetal_iqa.model_library.comparison import (
    ChangedFrame,
    Intervals,
    IntervalsBySet,
    Lenient,
    Metrics,
    MetricsBySet,
    ModelComparison,
)
from napari_fetal_iqa.model_library.hold_out import MAIN_METRIC
from napari_fetal_iqa.model_library.judgement import INSTEAD, Judgement, judge_child
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary


@dataclass(frozen=True)
class _Named:
    label: str
    digits: int = 2
    less_is_better: bool = False


_METRICS = {
    "dice": _Named("Dice"),
    "circumference_error_mm": _Named("AC error, mm", digits=1, less_is_better=True),
    "circumference_error_percent": _Named("AC error, %", digits=1, less_is_better=True),
    "circumference_measured": _Named("AC frames", digits=0),
    "circumference_kept": _Named("AC still measured"),
    "f1": _Named("F1"),
    "precision": _Named("Precision"),
    "recall": _Named("Recall"),
    "average_precision": _Named("Avg. precision"),
}


@dataclass(frozen=True)
class MetricChange:
    """One metric of parent and child.

    Parameters
    ----------
    name, label : str
        The trainer's and people's name of it.
    before, after : float
    interval : (float, float) or None
        95 % interval of the difference.
    digits : int
        Decimals that are worth showing.
    less_is_better : bool
    """

    name: str
    label: str
    before: float
    after: float
    interval: tuple[float, float] | None
    digits: int
    less_is_better: bool

    @property
    def gain(self) -> float:
        """How much better the child is; negative where it is worse."""
        return (self.before - self.after) if self.less_is_better else (self.after - self.before)

    @property
    def sure(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    def shown(self, value: float, sign: bool = False) -> str:
        """Write a value of this metric."""
        return f"{value:{'+' if sign else ''}z.{self.digits}f}"  # z: no negative zero


@dataclass(frozen=True)
class FrameSet:
    """Frames that both models were compared on, and how each did."""

    name: str
    frames: int
    metrics: tuple[MetricChange, ...]


@dataclass(frozen=True)
class ComparisonReport:
    """A new model beside the one that it comes from.

    Parameters
    ----------
    task : str
    folder : Path
        The new model.
    hash : str
    sets : tuple of FrameSet
        As far as there are any: the hold-out, then the reference set.
    better, worse : tuple of ChangedFrame
    verdict : str
        One line in words.
    is_worse : bool
        On the hold-out, in F1, Dice or the error of the circumference; or on the reference, surely
        or by more than a margin.
    """

    task: str
    folder: Path
    hash: str
    sets: tuple[FrameSet, ...]
    better: tuple[ChangedFrame, ...]
    worse: tuple[ChangedFrame, ...]
    verdict: str
    is_worse: bool


def label_of(name: str) -> str:
    """Return people's name of a metric."""
    return _METRICS[name].label if name in _METRICS else name


def comparison_report(done: DoneEvent) -> ComparisonReport:
    """Compare a new model with its parent; what is not known of them is left out."""
    task, comparison = str(done.task), done.comparison
    held, reference = _frame_sets(comparison)
    judgement = judge_child(comparison, task)
    changed = comparison.changed
    return ComparisonReport(
        task=task,
        folder=Path(done.model),
        hash=done.hash,
        sets=tuple(found for found in (held, reference) if found is not None),
        better=_known(changed.better if changed else None),
        worse=_known(changed.worse if changed else None),
        verdict=_verdict(task, held, reference, judgement, comparison.note),
        is_worse=judgement.verdict is not None,
    )


def take_into_use(report: ComparisonReport, although_worse: bool) -> None:
    """Take the new model into use for its task, so that it can be rolled back.

    Raises
    ------
    fetal_iqa_models.ModelError
        Where it is damaged, or worse and that was not known.
    """
    folder = report.folder
    name = model_id(report.task, report.hash)
    entry = ModelEntry(name, report.hash, str(folder), load_card(folder))
    ModelLibrary().use(entry, although_worse=although_worse)


def _frame_sets(comparison: ModelComparison) -> tuple[FrameSet | None, FrameSet | None]:
    """Return what there is of the hold-out and of the reference set."""
    parent = comparison.parent or MetricsBySet()
    child = comparison.child or MetricsBySet()
    between = comparison.intervals or IntervalsBySet()
    return (
        _frame_set("Hold-out", parent.hold_out, child.hold_out, between.hold_out),
        _frame_set("Reference set", parent.reference, child.reference, between.reference),
    )


def _frame_set(
    name: str, before: Metrics | None, after: Metrics | None, intervals: Intervals | None
) -> FrameSet | None:
    metrics: list[MetricChange] = []
    for key, named in _METRICS.items():
        was, now = _finite((before or {}).get(key)), _finite((after or {}).get(key))
        shown = {metric.name for metric in metrics}
        if was is not None and now is not None and INSTEAD.get(key) not in shown:
            of_metric = (intervals or {}).get(key)
            interval = of_metric.difference if of_metric else None
            if interval is not None and not all(map(isfinite, interval)):
                interval = None
            metrics.append(
                MetricChange(
                    key, named.label, was, now, interval, named.digits, named.less_is_better
                )
            )
    frames = _finite((after or {}).get("frames"))
    return FrameSet(name, int(frames or 0), tuple(metrics)) if metrics else None


def _verdict(
    task: str,
    held: FrameSet | None,
    reference: FrameSet | None,
    judgement: Judgement,
    note: str | None,
) -> str:
    forgotten = _changes(reference, [move.name for move in judgement.forgotten])
    lost = _on_the_reference("Worse", forgotten, judgement.doubt_of_reference)
    if not forgotten:
        slipped = _changes(reference, [move.name for move in judgement.slipped])
        lost = _on_the_reference("A little worse", slipped, judgement.doubt_of_slips)
    judged = _changes(held, [move.name for move in judgement.hold_out])
    if not judged:
        unjudged = f"Not judged: {note.replace(': ', ', ') if note else 'no hold-out'}"
        return "; ".join(filter(None, (unjudged, lost)))
    worse = _changes(held, [move.name for move in judgement.worse])
    better = [metric for metric in judged if metric.gain > 0]
    first = next((metric for metric in judged if metric.name == MAIN_METRIC.get(task)), judged[0])
    if not worse and not better:
        text = f"As good on the hold-out: {first.label} {first.shown(first.after)}"
    elif worse:
        text = f"Worse on the hold-out: {_listed(worse)}"
        text += f", though better: {_listed(better)}" if better else ""
    else:
        text = f"Better on the hold-out: {_listed(sorted(better, key=lambda m: m is not first))}"
    units = judgement.units
    if units is not None and not units.enough:
        text += f"; {units}: too few to tell"
    elif any(one.interval and not one.sure for one in worse or better):
        text += ", which may be chance"
    return "; ".join(filter(None, (text, note, lost)))


def _on_the_reference(how: str, changes: Sequence[MetricChange], doubt: str) -> str:
    if not changes:
        return ""
    return f"{how} on the reference set: {_listed(changes)}" + (f", {doubt}" if doubt else "")


def _changes(frames: FrameSet | None, names: Sequence[str]) -> list[MetricChange]:
    return [metric for metric in (frames.metrics if frames else ()) if metric.name in names]


def _listed(changes: Iterable[MetricChange]) -> str:
    return ", ".join(
        f"{one.label} {one.before:.{digits}f} → {one.after:.{digits}f}"
        for one in changes
        for digits in [_telling_digits(one)]
    )


def _telling_digits(change: MetricChange) -> int:
    """Return as many decimals as it takes to see the change."""
    enough = range(change.digits, 5)
    differ = (n for n in enough if round(change.before, n) != round(change.after, n))
    return next(differ, 6)


def _known(frames: tuple[Lenient[ChangedFrame], ...] | None) -> tuple[ChangedFrame, ...]:
    return tuple(frame for frame in frames or () if frame is not None)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and isfinite(value) else None
