"""How far a training is, from the trainer's events: phase in words, curves, time left."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_fetal_iqa.finetuning.events import Event, Progress, SummaryEvent

TASK_WORDS = {"cls": "Frame quality", "seg": "Outlines"}


def describe(summary: SummaryEvent) -> str:
    """Return what there is to train on, or why nothing is, in a sentence or two."""
    name = task_name(summary.task)
    if summary.problem:
        return f"{name}: {summary.problem}"
    held = summary.hold_out
    judged = (
        f"{_count(held.frames, 'frame')} of {_count(held.sweeps, 'sweep')} held out to judge"
        if held.frames
        else "no hold-out yet, so nothing will judge it"
    )
    advice = f". {summary.advice[:1].upper()}{summary.advice[1:]}" if summary.advice else ""
    return (
        f"{name}: {_count(summary.frames, 'frame')} of {_count(summary.sweeps, 'sweep')}, "
        f"{summary.positives} with the abdomen; {judged}{advice}"
    )


def task_name(task: str) -> str:
    """Return a task in words."""
    return TASK_WORDS.get(task, task)


@dataclass
class Curves:
    """What is drawn of one task: loss by step, and each metric of the validations by step."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    metrics: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    def add_loss(self, step: int, loss: float) -> None:
        """Add a point to the curve of the loss."""
        self.steps.append(step)
        self.losses.append(loss)

    def add_metric(self, name: str, step: int, value: float) -> None:
        """Add a point to the curve of a metric."""
        steps, values = self.metrics.setdefault(name, ([], []))
        steps.append(step)
        values.append(value)


class FinetuningProgress:
    """Follows one training, event by event.

    Parameters
    ----------
    tasks : sequence of str
        What is trained, in this order.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self.task = self.tasks[0]
        self.phase = "starting"
        self.done = 0
        self.total = 0
        self.curves: dict[str, Curves] = {task: Curves() for task in self.tasks}
        self._trained: set[str] = set()
        self._since: tuple[float, int] | None = None  # when this phase was first seen, and where
        self._latest = 0.0  # when it last went on

    def take(self, event: Event, now: float) -> None:
        """Take in an event; what is not of the way changes nothing.

        Parameters
        ----------
        event : Event
        now : float
            A time that only grows, in seconds.
        """
        if not isinstance(event, Progress) or event.event in ("writing", "encoding"):
            return
        if event.task in self.tasks and event.task != self.task:
            self.task = event.task
            self._since = None
        curves = self.curves[self.task]
        if event.event == "validation":
            for name, value in event.metrics.items():
                curves.add_metric(name, event.done, value)
            return
        if event.event == "step":
            self._trained.add(self.task)
            if event.loss is not None:
                curves.add_loss(event.done, event.loss)
        phase: str = event.event
        if phase == "evaluating":
            phase = "judging child" if self.task in self._trained else "judging parent"
        if phase != self.phase or event.done < self.done:
            self.phase, self._since = phase, None
        self.done, self.total, self._latest = event.done, event.total, now
        if self._since is None:
            self._since = (now, event.done)

    def seconds_left(self, now: float) -> float | None:
        """Time until this phase ends, by how fast it went since it was first seen."""
        if self._since is None or not self.total:
            return None
        began, first = self._since
        if self.done <= first or self._latest <= began:
            return None
        pace = (self._latest - began) / (self.done - first)
        return max(0.0, pace * (self.total - self.done) - (now - self._latest))

    def describe(self, now: float) -> str:
        """Return the phase in words, with how far it is and the time left of training."""
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
    """Write a time as people do: ``"40 s"``, ``"3 min"``, ``"2 h 10 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
