"""Gain: how bright and how steep the frames are shown; pixels and models know nothing of it."""

from dataclasses import dataclass

from napari.layers import Image


@dataclass(frozen=True)
class Gain:
    """How grey values become light.

    Parameters
    ----------
    name, tip : str
        For people.
    limits : (float, float)
        Grey values shown as black and as white.
    gamma : float
        Below 1, dark tissue is shown brighter.
    """

    name: str
    tip: str
    limits: tuple[float, float]
    gamma: float = 1.0


AS_STORED = Gain("As stored", "Grey values as the file has them", (0, 255))
PRESETS = (
    Gain("Brighter", "All echoes brighter", (0, 160)),
    Gain("Dark tissue", "Weak echoes brighter, strong ones as they are", (0, 255), 0.55),
    Gain("More contrast", "Speckle darker, borders brighter", (40, 190)),
)


def apply(gain: Gain, layer: Image) -> None:
    """Show a sweep's layer with a gain."""
    layer.contrast_limits = gain.limits
    layer.gamma = gain.gamma
