"""Gestational age by dates: from what is known of the pregnancy, never from a measure."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

TERM = timedelta(days=280)
"""From the first day of the last menstrual period to the expected date of delivery (Naegele)."""
LONGEST = timedelta(weeks=45)
"""Beyond this after the last menstrual period the dates are wrong, not the pregnancy long."""

AGE = re.compile(r"(\d{1,2})(?:\s*w|(?:\s*[w+]\s*|\s+)(\d)(?:\s*d|/7)?)?", re.IGNORECASE)
"""Weeks, and days where a w, a plus or a space parts the two."""

Basis = Literal["weeks", "LMP", "EDD"]
BASES: tuple[Basis, ...] = get_args(Basis)


@dataclass(frozen=True)
class Dating:
    """What somebody entered of how far a pregnancy is.

    Parameters
    ----------
    basis : "weeks", "LMP" or "EDD"
        Weeks and days on the day of the examination; first day of the last menstrual period;
        expected date of delivery.
    days : int
        Gestational age in days on the day of the examination.
    """

    basis: Basis
    days: int

    @property
    def weeks(self) -> float:
        """Exact weeks."""
        return self.days / 7

    def __str__(self) -> str:
        """Write it as obstetricians do: ``"27w3d (by LMP)"``."""
        whole, days = divmod(self.days, 7)
        basis = {"weeks": "as entered", "LMP": "by LMP", "EDD": "by EDD"}[self.basis]
        return f"{whole}w{days}d ({basis})"

    @classmethod
    def from_weeks(cls, text: str) -> "Dating":
        """Read weeks and days: ``"27w3d"``, ``"27+3"``, ``"27 3/7"`` or ``"27"``.

        Raises
        ------
        ValueError
            Where it is none of these, the days are above 6, or the age is none of a pregnancy.
        """
        found = AGE.fullmatch(text.strip())
        if not found or int(found[2] or 0) > 6:
            raise ValueError(f"{text!r}: write weeks and days as 27w3d or 27+3, days 0 to 6")
        return cls("weeks", _checked(timedelta(days=7 * int(found[1]) + int(found[2] or 0))))

    @classmethod
    def from_lmp(cls, lmp: date, examined: date) -> "Dating":
        """Count from the first day of the last menstrual period to the examination.

        Raises
        ------
        ValueError
            Where the examination is before it, or more than 45 weeks after.
        """
        return cls("LMP", _checked(examined - lmp))

    @classmethod
    def from_edd(cls, edd: date, examined: date) -> "Dating":
        """Count from 280 days before the expected date of delivery to the examination.

        Raises
        ------
        ValueError
            Where the examination is more than 280 days before it, or more than 5 weeks after.
        """
        return cls("EDD", _checked(examined - (edd - TERM)))


def _checked(age: timedelta) -> int:
    if not timedelta(0) <= age <= LONGEST:
        raise ValueError(
            f"these dates give {age.days / 7:.1f} weeks, which is no age of a pregnancy; "
            "check the dates and the day of the examination"
        )
    return age.days
