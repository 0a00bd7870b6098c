"""Is the child better than its parent: the trainer's figures as rows, a verdict, and frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from fetal_iqa_models.cards import load_card, model_id
from napari_fetal_iqa.model_library.hold_out import JUDGED_BY
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary

_SETS = {"hold_out": "Hold-out", "reference": "Reference set"}


@dataclass(frozen=True)
class _Named:
    label: str
    digits: int = 2
    less_is_better: bool = False


_FIGURES = {
    "dice": _Named("Dice"),
    "circumference_error_mm": _Named("AC error, mm", digits=1, less_is_better=True),
    "f1": _Named("F1"),
    "precision": _Named("Precision"),
    "recall": _Named("Recall"),
    "average_precision": _Named("Avg. precision"),
}


@dataclass(frozen=True)
class Figure:
    """One figure of parent and child.

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
        """Write a value of this figure."""
        return f"{value:{'+' if sign else ''}z.{self.digits}f}"  # z: no negative zero


@dataclass(frozen=True)
class FrameSet:
    """Frames that judged both, and what they say."""

    name: str
    frames: int
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class ChangedFrame:
    """A frame of which the child says something clearly better or worse."""

    sweep: str
    frame: int
    before: float
    after: float


@dataclass(frozen=True)
class Judgement:
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
        On the hold-out, by the main figure of the task.
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
    """Return people's name of a figure."""
    return _FIGURES[name].label if name in _FIGURES else name


def judge(done: Mapping[str, Any]) -> Judgement:
    """Read the trainer's ``done`` event; what is missing in it is left out."""
    task = str(done.get("task"))
    metrics = _dict(done.get("metrics"))
    sets = tuple(found for name in _SETS if (found := _frame_set(name, metrics)) is not None)
    held = next((found for found in sets if found.name == _SETS["hold_out"]), None)
    main = _main(task, held)
    changed = _dict(metrics.get("changed"))
    return Judgement(
        task=task,
        folder=Path(str(done.get("model"))),
        hash=str(done.get("hash", "")),
        sets=sets,
        better=_frames(changed.get("better")),
        worse=_frames(changed.get("worse")),
        verdict=_verdict(main, metrics),
        is_worse=main is not None and main.gain < 0,
    )


def take_into_use(judgement: Judgement, although_worse: bool) -> None:
    """Take the new model into use for its task, so that it can be rolled back.

    Raises
    ------
    fetal_iqa_models.ModelError
        Where it is damaged, or worse and that was not known.
    """
    folder = judgement.folder
    name = model_id(judgement.task, judgement.hash)
    entry = ModelEntry(name, judgement.hash, str(folder), load_card(folder))
    ModelLibrary().use(entry, although_worse=although_worse)


def _frame_set(name: str, metrics: Mapping[str, Any]) -> FrameSet | None:
    before, after = (_dict(_dict(metrics.get(side)).get(name)) for side in ("parent", "child"))
    intervals = _dict(_dict(metrics.get("intervals")).get(name))
    figures = []
    for key, named in _FIGURES.items():
        was, now = _number(before.get(key)), _number(after.get(key))
        if was is not None and now is not None:
            interval = _interval(_dict(intervals.get(key)).get("difference"))
            figures.append(
                Figure(key, named.label, was, now, interval, named.digits, named.less_is_better)
            )
    frames = _number(after.get("frames"))
    return FrameSet(_SETS[name], int(frames or 0), tuple(figures)) if figures else None


def _main(task: str, held: FrameSet | None) -> Figure | None:
    figures = held.figures if held else ()
    return next((figure for figure in figures if figure.name == JUDGED_BY.get(task)), None)


def _verdict(main: Figure | None, metrics: Mapping[str, Any]) -> str:
    if main is None:
        note = metrics.get("note")
        why = note.replace(": ", ", ") if isinstance(note, str) and note else "no hold-out"
        return f"Not judged: {why}"
    if not main.gain:
        return f"As good on the hold-out: {main.label} {main.shown(main.after)}"
    digits = next((n for n in (2, 3, 4) if round(main.before, n) != round(main.after, n)), 6)
    before, after = f"{main.before:.{digits}f}", f"{main.after:.{digits}f}"
    word = "Better" if main.gain > 0 else "Worse"
    chance = ""
    if main.interval is not None and not main.sure:
        chance = ", which may be chance"
    return f"{word} on the hold-out: {main.label} {before} → {after}{chance}"


def _frames(listed: Any) -> tuple[ChangedFrame, ...]:
    frames = []
    for item in listed if isinstance(listed, list) else []:
        item = _dict(item)
        frame, was, now = (_number(item.get(key)) for key in ("frame", "before", "after"))
        if frame is not None and was is not None and now is not None:
            frames.append(ChangedFrame(str(item.get("sweep")), int(frame), was, now))
    return tuple(frames)


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isfinite(value) else None


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = (_number(end) for end in value)
    return None if low is None or high is None else (low, high)
