"""The protocol between trainer and window: what a training reports, one JSON line an event.

The trainer writes lines with :func:`line_of`, the window reads them with :func:`parse_event`. Lines
of any version are read: what is unknown is ignored, be it a field or an event.
"""

import json
import logging
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from napari_fetal_iqa.model_library.comparison import Lenient, ModelComparison

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Parameters
    ----------
    event : str
        ``"writing"`` of phantoms, ``"reading"`` while frames are read, ``"step"`` after a
        training step, ``"validation"`` after a pass over the validation frames,
        ``"encoding"`` while a frozen encoder sees the frames,
        ``"evaluating"`` while a model is judged.
    done, total : int
        Of sweeps while reading or evaluating, of frames while encoding, else of training
        steps; total is 0 where it is not known.
    loss : float, optional
        Of a step, or the mean over the validation frames.
    metrics : dict
        Of a validation, by name.
    task : str, optional
        ``"cls"`` or ``"seg"``, where one of them is trained.
    """

    event: Literal["writing", "reading", "encoding", "step", "validation", "evaluating"]
    done: int = 0
    total: int = 0
    loss: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    task: str | None = None


class FrameCounts(BaseModel):
    """Corrected frames that a task can use, and the sweeps they are of."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sweeps: int = 0
    frames: int = 0
    positives: int = 0
    negatives: int = 0


class SummaryEvent(FrameCounts):
    """What there is to train on, for one task; before the training, or instead of it.

    Parameters
    ----------
    task : str
    sweeps, frames, positives, negatives : int
        To train on.
    reviewers : tuple of str
        Who corrected these frames.
    hold_out : FrameCounts
        What the new model is compared on and not trained on.
    set_aside : FrameCounts
        Held out and of no use yet: too few, or an ancestor learnt from it.
    unknown_subjects : int
        Sweeps of both sides of which nobody said whose they are: another one may be the same
        person's.
    problem : str, optional
        What there is too little of.
    advice : str, optional
        What would teach more, where there is enough.
    note : str, optional
        Why nothing is held out, or why it may say too much.
    base : str
        Name of the model to go on from.
    """

    event: Literal["summary"] = "summary"
    task: str
    reviewers: tuple[str, ...] = ()
    hold_out: FrameCounts = FrameCounts()
    set_aside: FrameCounts = FrameCounts()
    unknown_subjects: int = 0
    problem: str | None = None
    advice: str | None = None
    note: str | None = None
    base: str = ""


class DoneEvent(BaseModel):
    """A model folder was written.

    Parameters
    ----------
    model : str
        The folder.
    hash : str
        Of the folder.
    metrics : dict
        As the card has them.
    task : str, optional
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event: Literal["done"] = "done"
    model: str
    hash: str = ""
    metrics: Lenient[dict[str, JsonValue]] = None
    task: str | None = None

    @property
    def comparison(self) -> ModelComparison:
        """The new model beside its parent."""
        return ModelComparison.model_validate(self.metrics or {})


class ErrorEvent(BaseModel):
    """The work failed.

    Parameters
    ----------
    message : str
        One line for the person at the desk.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event: Literal["error"] = "error"
    message: str
    task: str | None = None


Event = Progress | SummaryEvent | DoneEvent | ErrorEvent

_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def fields_of(event: Event) -> dict[str, JsonValue]:
    """Return the fields of an event's line; a task that is None is left out."""
    fields = _EVENTS.dump_python(event, mode="json")
    if fields["task"] is None:
        del fields["task"]
    return {"event": fields.pop("event"), **fields}


def line_of(event: Event) -> str:
    """Return the JSON line of an event, without its end."""
    return json.dumps(fields_of(event))


def parse_event(line: bytes) -> Event | None:
    """Read one line of what a trainer reports.

    None where it is an event that this version does not know, or empty; and where it is malformed,
    which is logged as a warning.
    """
    if not line.strip():
        return None
    try:
        return _EVENTS.validate_json(line)
    except ValidationError as error:
        if error.errors()[0]["type"] != "union_tag_invalid":
            logger.warning("a line of the training is malformed and left out: %.80r", line)
        return None
