"""Why a frame is good: the six criteria of the abdominal plane, one point each.

Salomon et al., Ultrasound Obstet Gynecol 27 (2006) 34; ISUOG's guideline on biometry.
"""

from collections.abc import Mapping
from enum import StrEnum


class Criterion(StrEnum):
    """One of the six, in the order of the keys, the boxes and the tables."""

    SYMMETRICAL = "symmetrical"
    STOMACH = "stomach"
    PORTAL_SINUS = "portal_sinus"
    NO_KIDNEYS = "no_kidneys"
    FILLS_IMAGE = "fills_image"
    ELLIPSE_PLACED = "ellipse_placed"

    @property
    def words(self) -> str:
        """What is seen where it is met, as boxes and pages say it."""
        return _WORDS[self]


_WORDS = {
    Criterion.SYMMETRICAL: "Symmetrical plane",
    Criterion.STOMACH: "Stomach bubble visible",
    Criterion.PORTAL_SINUS: "Portal sinus visible",
    Criterion.NO_KIDNEYS: "Kidneys not visible",
    Criterion.FILLS_IMAGE: "Abdomen fills 30 % of the image",
    Criterion.ELLIPSE_PLACED: "Ellipse placed right",
}

Verdicts = Mapping[Criterion, bool]
"""Whether each criterion that somebody judged is met; the others are not known."""


def score(verdicts: Verdicts) -> int:
    """Return how many of the six are met; what nobody judged gives no point."""
    return sum(verdicts.values())


def score_in_words(verdicts: Verdicts) -> str:
    """Write the score as a page has it: ``"4 of 6, 1 not judged"``."""
    unknown = len(Criterion) - len(verdicts)
    return f"{score(verdicts)} of {len(Criterion)}" + (f", {unknown} not judged" if unknown else "")
