"""One meaning a colour, everywhere: Okabe and Ito's palette, distinct to colour-blind eyes.

On the frames they are drawn as they are; on panels and plots :func:`legible` makes them lighter or
darker where a theme needs it.
"""

from functools import lru_cache

MODEL = "#56B4E9"
EXPERT = "#E69F00"
OPTIMAL = "#009E73"
SUBOPTIMAL = "#F0E442"
NONE = "#808080"
ERROR = "#D55E00"
OTHER = "#CC79A7"
FREE = "#C9BBFF"
"""Free calipers; paler than any of the palette, and told by their solid lines and numbers."""

ALL = (MODEL, EXPERT, OPTIMAL, SUBOPTIMAL, NONE, ERROR, OTHER, FREE)

TEXT_CONTRAST, MARK_CONTRAST = 4.5, 3.0
"""What text, and what a mark, needs against what is behind it (WCAG 2.2, 1.4.3 and 1.4.11)."""

_STEPS = 50


def contrast(colour: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue


def mixed(colour: str, other: str, part: float) -> str:
    """Return a colour with a part of another one, 0 to 1, in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round((1 - part) * one + part * two):02x}" for one, two in pairs)


@lru_cache(maxsize=256)
def legible(colour: str, background: str, at_least: float) -> str:
    """Return the colour itself where it has that contrast, else as little changed as can be.

    It gets lighter on a dark background and darker on a light one, and keeps its hue.
    """
    goal = max(("#ffffff", "#000000"), key=lambda extreme: contrast(extreme, background))
    for step in range(_STEPS + 1):
        changed = mixed(colour, goal, step / _STEPS) if step else colour
        if contrast(changed, background) >= at_least:
            return changed
    return goal
