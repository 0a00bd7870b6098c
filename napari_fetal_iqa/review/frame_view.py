"""All there is to show of one frame under review."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement


class Source(StrEnum):
    """Who set a label or a mask."""

    NOBODY = "nobody"
    MODEL = "model"
    EXPERT = "expert"


@dataclass(frozen=True)
class FrameView:
    """All there is to show of one frame.

    Parameters
    ----------
    frame, sweep, frame_in_sweep : int
        0-based.
    quality, area_fraction : float or None
        The models' scores; None where not computed.
    label : Label or None
    label_source, mask_source : Source
    measure : callable
        Gives the measurement of the mask, or None where there is none or no spacing.
        Of the mask that counts: the expert's, else the model's.
    """

    frame: int
    sweep: int
    frame_in_sweep: int
    quality: float | None
    area_fraction: float | None
    label: Label | None
    label_source: Source
    mask_source: Source
    measure: Callable[[], AbdomenMeasurement | None]

    @cached_property
    def measurement(self) -> AbdomenMeasurement | None:
        """The mask's measurement; made at the first asking, it takes milliseconds."""
        return self.measure()
