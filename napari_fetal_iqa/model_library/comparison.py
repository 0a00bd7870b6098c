"""What a card's ``metrics`` say of a fine-tuned model: itself and its parent on the same frames."""

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    StrictFloat,
    StrictInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

_T = TypeVar("_T")


def _none_where_malformed(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


# Cards come from other versions and other people: a part that is malformed must not take the rest
# of the comparison with it.
Lenient = Annotated[_T | None, WrapValidator(_none_where_malformed)]
"""A part that is left out where it is not what was expected."""

Metrics = dict[str, Lenient[StrictInt | StrictFloat]]
"""Numbers by name; ``frames`` and ``positives`` count the frames that they are of."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MetricsBySet(_Part):
    """The metrics of one model on each set of frames.

    Parameters
    ----------
    corrections : dict, optional
        On the frames that the child was fine-tuned on.
    hold_out : dict, optional
        On corrected frames that neither model was trained on.
    reference : dict, optional
        On data that the parent knew, to see what is forgotten.
    """

    corrections: Lenient[Metrics] = None
    hold_out: Lenient[Metrics] = None
    reference: Lenient[Metrics] = None


class MetricIntervals(_Part):
    """95 % intervals of one metric: of parent, child, and their difference."""

    parent: Lenient[tuple[float, float]] = None
    child: Lenient[tuple[float, float]] = None
    difference: Lenient[tuple[float, float]] = None


Intervals = dict[str, Lenient[MetricIntervals]]
"""By the name of the metric."""


class IntervalsBySet(_Part):
    """The intervals on each set that was not trained on."""

    hold_out: Lenient[Intervals] = None
    reference: Lenient[Intervals] = None


class Units(_Part):
    """What the intervals of a set resample: subjects, or sweeps where whose they are is unknown.

    Parameters
    ----------
    unit : str
    count : int
    enough : bool
        Five or more; of fewer there is no interval, as they are too few to tell.
    """

    unit: str
    count: int
    enough: bool = True

    def __str__(self) -> str:
        """Write as ``3 sweeps`` or ``1 subject``."""
        one = self.count == 1 and self.unit in ("subjects", "sweeps")
        return f"{self.count} {self.unit.removesuffix('s') if one else self.unit}"


class UnitsBySet(_Part):
    """The units of each set that was not trained on."""

    hold_out: Lenient[Units] = None
    reference: Lenient[Units] = None


class ChangedFrame(_Part):
    """A frame of which the child says something clearly better or worse.

    Parameters
    ----------
    sweep : str
        Content identity.
    frame : int
    before, after : float
        0 to 1, of parent and child.
    """

    sweep: str
    frame: int
    before: float
    after: float


class ChangedFrames(_Part):
    """The most changed frames of the hold-out."""

    better: Lenient[tuple[Lenient[ChangedFrame], ...]] = None
    worse: Lenient[tuple[Lenient[ChangedFrame], ...]] = None


class ModelComparison(_Part):
    """Parent and child on the same frames; what there is not is left out.

    Parameters
    ----------
    parent, child : MetricsBySet
    intervals : IntervalsBySet
    units : UnitsBySet
    sweeps : dict
        Metrics on each sweep of the hold-out.
    changed : ChangedFrames
    note : str, optional
        Why nothing was held out.
    """

    parent: Lenient[MetricsBySet] = None
    child: Lenient[MetricsBySet] = None
    intervals: Lenient[IntervalsBySet] = None
    units: Lenient[UnitsBySet] = None
    sweeps: Lenient[dict[str, JsonValue]] = None
    changed: Lenient[ChangedFrames] = None
    note: Lenient[str] = None
