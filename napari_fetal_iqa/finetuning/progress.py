"""How far a training is, from what the trainer says: phase in words, curves, time left."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

TASK_WORDS = {"cls": "Frame quality", "seg": "Outlines"}


class Summary(BaseModel):
    """What there is to learn from, for one task; the trainer's ``summary`` event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    class HoldOut(BaseModel):
        """What judges the new model and is not learnt from."""

        model_config = ConfigDict(frozen=True, extra="ignore")

        sweeps: int = 0
        frames: int = 0
        positives: int = 0

    task: str
    sweeps: int = 0
    frames: int = 0
    positives: int = 0
    reviewers: tuple[str, ...] = ()
    hold_out: HoldOut = Field(default_factory=HoldOut)
    problem: str | None = None
    note: str | None = None

    @property
    def name(self) -> str:
        """The task in words."""
        return TASK_WORDS.get(self.task, self.task)

    def said(self) -> str:
        """Return the summary, or why nothing can be learnt, as one or two sentences."""
        if self.problem:
            return f"{self.name}: {self.problem}"
        held = self.hold_out
        judged = (
            f"{_count(held.frames, 'frame')} of {_count(held.sweeps, 'sweep')} held out to judge"
            if held.frames
            else "no hold-out yet, so nothing will judge it"
        )
        return (
            f"{self.name}: {_count(self.frames, 'frame')} of {_count(self.sweeps, 'sweep')}, "
            f"{self.positives} with the abdomen; {judged}"
        )


def event_of(line: bytes) -> Mapping[str, Any] | None:
    """Read one line of what the trainer says; None where it is no event."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def summaries(events: Sequence[Mapping[str, Any]]) -> list[Summary]:
    """Pick the summaries out of what the trainer said."""
    found = []
    for event in events:
        if event.get("event") == "summary":
            try:
                found.append(Summary.model_validate(event))
            except ValidationError:
                continue
    return found


class _Step(BaseModel):
    """One event on the way."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event: str
    task: str | None = None
    done: int = 0
    total: int = 0
    loss: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)


@dataclass
class Curves:
    """What is drawn of one task: loss by step, and each figure of the validations by step."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    figures: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    def add_loss(self, step: int, loss: float) -> None:
        """Add a point to the curve of the loss."""
        self.steps.append(step)
        self.losses.append(loss)

    def add_figure(self, name: str, step: int, value: float) -> None:
        """Add a point to the curve of a figure."""
        steps, values = self.figures.setdefault(name, ([], []))
        steps.append(step)
        values.append(value)


class LearningProgress:
    """Follows one training, event by event.

    Parameters
    ----------
    tasks : sequence of str
        What is learnt, in this order.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self.task = self.tasks[0]
        self.phase = "starting"
        self.done = 0
        self.total = 0
        self.curves: dict[str, Curves] = {task: Curves() for task in self.tasks}
        self._learnt: set[str] = set()
        self._since: tuple[float, int] | None = None  # when this phase was first seen, and where
        self._latest = 0.0  # when it last went on

    def take(self, event: Mapping[str, Any], now: float) -> None:
        """Take what the trainer said; what is no event on the way changes nothing.

        Parameters
        ----------
        event : dict
        now : float
            A time that only grows, in seconds.
        """
        try:
            step = _Step.model_validate(event)
        except ValidationError:
            return
        if step.event not in ("reading", "evaluating", "step", "validation"):
            return
        if step.task in self.tasks and step.task != self.task:
            self.task = step.task
            self._since = None
        curves = self.curves[self.task]
        if step.event == "validation":
            for name, value in step.metrics.items():
                curves.add_figure(name, step.done, value)
            return
        if step.event == "step":
            self._learnt.add(self.task)
            if step.loss is not None:
                curves.add_loss(step.done, step.loss)
        phase = step.event
        if phase == "evaluating":
            phase = "judging child" if self.task in self._learnt else "judging parent"
        if phase != self.phase or step.done < self.done:
            self.phase, self._since = phase, None
        self.done, self.total, self._latest = step.done, step.total, now
        if self._since is None:
            self._since = (now, step.done)

    def seconds_left(self, now: float) -> float | None:
        """Time until this phase ends, by how fast it went since it was first seen."""
        if self._since is None or not self.total:
            return None
        began, first = self._since
        if self.done <= first or self._latest <= began:
            return None
        pace = (self._latest - began) / (self.done - first)
        return max(0.0, pace * (self.total - self.done) - (now - self._latest))

    def said(self, now: float) -> str:
        """Say the phase in words, with how far it is and the time left of learning."""
        words = {
            "starting": "Loading the networks",
            "reading": "Reading the corrected frames",
            "judging parent": "Judging the model as it is",
            "step": "Learning",
            "judging child": "Judging what was learnt",
        }[self.phase]
        far = ""
        if self.phase != "starting" and self.done:
            far = f" {self.done}/{self.total}" if self.total else f" {self.done}"
        left = self.seconds_left(now) if self.phase == "step" else None
        time_left = f", {duration(left)} left" if left is not None else "…"
        prefix = ""
        if len(self.tasks) > 1:
            number = self.tasks.index(self.task) + 1
            prefix = f"{TASK_WORDS[self.task]} ({number} of {len(self.tasks)}): "
            words = words[0].lower() + words[1:]
        return f"{prefix}{words}{far}{time_left}"


def duration(seconds: float) -> str:
    """Say a time as people do: ``"40 s"``, ``"3 min"``, ``"2 h 10 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
