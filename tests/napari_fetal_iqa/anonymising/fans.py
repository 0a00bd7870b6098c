"""Small sweeps whose fan moves, and writing that does not."""

import numpy as np
from PIL import Image, ImageDraw

SHAPE = (96, 128)


def fan_area() -> np.ndarray:
    """(H, W) bool: a sector that fills the lower middle of the frame."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    across, down = columns - 64, rows - 10
    return (np.hypot(across, down) < 80) & (np.abs(across) < down) & (down > 6)


def fan_frames(count: int = 12) -> np.ndarray:
    """(T, H, W) uint8: speckle in the fan, black beside it."""
    speckle = np.random.default_rng(4).integers(20, 230, (count, *SHAPE), np.uint8)
    return np.where(fan_area(), speckle, 0).astype(np.uint8)


def written(text: str, place: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: a text at a column and row."""
    picture = Image.new("1", SHAPE[::-1])
    ImageDraw.Draw(picture).text(place, text, fill=1)
    return np.asarray(picture, bool)
