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
    plane : str or None
        What the classifier takes the frame for, in a word; empty where that is not known, None
        where the classifier tells no planes apart.
    measure : callable
        Gives the measurement of the mask that counts, the expert's, else the model's; or in a few
        words why it is not measured.
    """

    frame: int
    sweep: int
    frame_in_sweep: int
    quality: float | None
    area_fraction: float | None
    label: Label | None
    label_source: Source
    mask_source: Source
    measure: Callable[[], AbdomenMeasurement | str]
    plane: str | None = None

    @cached_property
    def _measured(self) -> AbdomenMeasurement | str:
        return self.measure()  # takes milliseconds: not before it is needed

    @property
    def measurement(self) -> AbdomenMeasurement | None:
        """The mask's measurement; None where it is not measured."""
        return None if isinstance(self._measured, str) else self._measured

    @property
    def not_measured(self) -> str:
        """Why it is not measured, in a few words; empty where it is."""
        return self._measured if isinstance(self._measured, str) else ""
