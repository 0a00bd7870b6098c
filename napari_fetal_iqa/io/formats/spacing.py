"""Which spacing of a header to believe, and why.

Many programs write 1 mm where they know nothing, and keep the true size of a pixel elsewhere.
"""

from dataclasses import dataclass

from napari_fetal_iqa.sweep import known_spacing

PLACEHOLDER_NOTE = (
    "spacing 1 mm is a placeholder in many files, and no ultrasound's: check it before you trust "
    "a length"
)

TOLERANCE = 0.01
"""Two spacings agree within 1 %: less than calibration is worth, more than rounding takes."""


PIXEL_SIZES_MM = (1e-4, 100)
"""From what acoustic microscopes see to a body in twenty pixels."""


@dataclass(frozen=True)
class Spacing:
    """Millimetres along rows and columns, or None; and what a reader must know of them."""

    mm: tuple[float, float] | None = None
    note: str = ""


def agree(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether two spacings are the same, within :data:`TOLERANCE`."""
    return all(abs(a - b) <= TOLERANCE * max(a, b) for a, b in zip(one, other, strict=True))


def is_pixel_size(spacing_mm: tuple[float, float]) -> bool:
    """Return whether an image of a body may have such pixels."""
    least, most = PIXEL_SIZES_MM
    return all(least <= step <= most for step in spacing_mm)


def believed(
    stated: tuple[float, float] | None,
    other: Spacing,
    stated_name: str,
    other_name: str,
    unit_mm: float = 1.0,
) -> Spacing:
    """Choose between the spacing that a file states and what else it says of it.

    Parameters
    ----------
    stated : (float, float) or None
        In the unit of the file.
    other : Spacing
        The same by another field; its ``note`` says why there is none, where that is a fault.
    stated_name, other_name : str
        What the two are called, for the note.
    unit_mm : float
        Millimetres of the unit.

    Returns
    -------
    Spacing
        The stated one, unless it is a placeholder of 1 x 1 and the other is not; none where both
        are real and contradict each other, or it is the size of no pixel.
    """
    found = _believed(stated, other, stated_name, other_name, unit_mm)
    if found.mm is not None and not is_pixel_size(found.mm):
        return Spacing(None, "spacing is not known: what the header says is the size of no pixel")
    return found


def _believed(
    stated: tuple[float, float] | None,
    other: Spacing,
    stated_name: str,
    other_name: str,
    unit_mm: float,
) -> Spacing:
    known = _in_mm(stated, unit_mm)
    found = _in_mm(other.mm, unit_mm)
    if known is None or stated is None:
        if found is None:
            return Spacing(None, other.note and f"spacing is not known: {other.note}")
        return Spacing(found, f"spacing is that of {other_name}, as there is no {stated_name}")
    if stated == (1, 1):
        if found is not None and other.mm != (1, 1):
            return Spacing(
                found, f"spacing is that of {other_name}, as {stated_name} is a placeholder of 1"
            )
        if other.note:
            return Spacing(
                None,
                f"spacing is not known: {stated_name} is a placeholder of 1, and {other.note}",
            )
        return Spacing(known, PLACEHOLDER_NOTE if known == (1, 1) else _placeholder_note(known))
    if found is not None and other.mm != (1, 1) and not agree(known, found):
        return Spacing(
            None, f"spacing is not known: {stated_name} and {other_name} contradict each other"
        )
    return Spacing(known)


def _placeholder_note(known: tuple[float, float]) -> str:
    return (
        f"spacing {known[0]:g} mm is 1 of the file's own unit, a placeholder in many files: check "
        f"it before you trust a length"
    )


def _in_mm(spacing: tuple[float, float] | None, unit_mm: float) -> tuple[float, float] | None:
    return None if spacing is None else known_spacing(*(step * unit_mm for step in spacing))
