"""The sheet of ``starter_models.py``: abdomens with two outlines each, from best to worst."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fetal_iqa_training.data.outlines import PlaneEllipse
from napari_fetal_iqa.geometry.ellipse import from_axes

WIDTH = 300
"""Of one picture of the sheet, in pixels."""


class Outlined(Protocol):
    """A frame with the truth and what a model outlined in it."""

    machine: str
    frame: NDArray[np.uint8]
    outline: PlaneEllipse | None
    mask: NDArray[np.bool_]

    @property
    def dice(self) -> float:
        """Overlap of the two outlines."""

    @property
    def error_percent(self) -> float | None:
        """Difference of the two circumferences; None where the model's has none."""


def picture(one: Outlined) -> Image.Image:
    """Draw outline (green) and the model's mask (magenta) over a frame, with the error below."""
    assert one.outline is not None
    scale = WIDTH / one.frame.shape[1]
    size = (WIDTH, round(one.frame.shape[0] * scale))
    shown = Image.fromarray(one.frame).resize(size).convert("RGB")
    draw = ImageDraw.Draw(shown)

    def place(x: NDArray, y: NDArray) -> list[tuple[float, float]]:
        return [((u + 0.5) * scale, (v + 0.5) * scale) for u, v in zip(x, y, strict=True)]

    turn = np.linspace(0, 2 * np.pi, 200)
    o = one.outline
    draw.line(place(*from_axes((o.cx, o.cy), (o.a, o.b), o.angle_rad, np.cos(turn), np.sin(turn))),
              fill=(0, 220, 90), width=2)  # fmt: skip
    edge = one.mask ^ _eroded(one.mask)
    for row, column in np.argwhere(edge)[::4]:
        x, y = (column + 0.5) * scale, (row + 0.5) * scale
        draw.point([(x, y), (x + 1, y)], fill=(255, 60, 255))
    whole = Image.new("RGB", (WIDTH, size[1] + 18), "black")
    whole.paste(shown)
    error = one.error_percent
    words = "no outline found" if error is None else f"AC {error:+.1f} %, Dice {one.dice:.3f}"
    ImageDraw.Draw(whole).text((4, size[1] + 3), f"{words}  {one.machine}", fill="white")
    return whole


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = mask.copy()
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(mask, step, axis)
    return inner


def sheet(judged: Sequence[Outlined], path: Path, columns: int = 5, most: int = 40) -> None:
    """Draw the abdomens from best to worst."""
    abdomens = [one for one in judged if one.outline is not None]
    abdomens.sort(key=lambda one: abs(e) if (e := one.error_percent) is not None else np.inf)
    numbers = np.unique(np.linspace(0, len(abdomens) - 1, min(most, len(abdomens))).astype(int))
    pictures = [picture(abdomens[number]) for number in numbers]
    height = max(one.height for one in pictures)
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * WIDTH, rows * height), "black")
    for number, one in enumerate(pictures):
        row, column = divmod(number, columns)
        whole.paste(one, (column * WIDTH, row * height))
    whole.save(path)
