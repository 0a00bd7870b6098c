"""Growth charts: where a measure lies among those of other fetuses of the same age.

A chart needs an age that is known by dates. An age that was itself computed from the abdominal
circumference would put every circumference near its own middle, so nothing here takes one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from statistics import NormalDist
from typing import Literal

Measure = Literal["AC", "HC", "BPD", "OFD"]
Author = Literal["intergrowth", "hadlock"]

STANDARD = NormalDist()
SHOWN_CENTILES = (3, 10, 50, 90, 97)


class OutOfChartError(ValueError):
    """An age that a chart was not made for."""


@dataclass(frozen=True)
class Standing:
    """Where a value stands among fetuses of the same age.

    Parameters
    ----------
    z : float
        Standard deviations above the mean.
    centile : float
        Percent of fetuses that measure less, 0 to 100.
    """

    z: float
    centile: float

    def __str__(self) -> str:
        """Write the centile as a clinic reads it: whole, and never 0 or 100."""
        if self.centile < 1:
            return "below the 1st centile"
        if self.centile > 99:
            return "above the 99th centile"
        whole = round(self.centile)
        ending = {1: "st", 2: "nd", 3: "rd"}.get(whole % 10 if whole // 10 != 1 else 0, "th")
        return f"{whole}{ending} centile"


@dataclass(frozen=True)
class GrowthChart:
    """A normal distribution of one measure at each gestational age.

    Parameters
    ----------
    measure : str
        ``"AC"``, ``"HC"``, ``"BPD"`` or ``"OFD"``.
    author : str
    title : str
        As a report names it.
    weeks : (float, float)
        Youngest and oldest age that it was made for.
    mean_mm, sd_mm : callable
        Of exact weeks.
    citation : str
    note : str
        What a reader must know beside the citation.
    """

    measure: Measure
    author: Author
    title: str
    weeks: tuple[float, float]
    mean_mm: Callable[[float], float]
    sd_mm: Callable[[float], float]
    citation: str
    note: str = ""

    def standing(self, value_mm: float, weeks: float) -> Standing:
        """Place a value among fetuses of this age.

        Parameters
        ----------
        value_mm : float
        weeks : float
            Exact gestational age by dates.

        Raises
        ------
        OutOfChartError
            Where the chart was not made for this age; says for which it was.
        """
        self._check(weeks)
        z = (value_mm - self.mean_mm(weeks)) / self.sd_mm(weeks)
        return Standing(z, 100 * STANDARD.cdf(z))

    def value_mm(self, centile: float, weeks: float) -> float:
        """Return the value at a centile, 0 to 100 (both excluded), of this age in exact weeks.

        Raises
        ------
        OutOfChartError
            Where the chart was not made for this age.
        """
        self._check(weeks)
        z = STANDARD.inv_cdf(centile / 100)
        return self.mean_mm(weeks) + z * self.sd_mm(weeks)

    def _check(self, weeks: float) -> None:
        youngest, oldest = self.weeks
        if not youngest <= weeks <= oldest:
            raise OutOfChartError(
                f"{self.title} is for {youngest:g} to {oldest:g} weeks, not for {weeks:.1f}"
            )


def _intergrowth(
    measure: Measure, mean: Callable[[float], float], sd: Callable[[float], float]
) -> GrowthChart:
    return GrowthChart(
        measure,
        "intergrowth",
        f"INTERGROWTH-21st {measure}",
        (14.0, 40.0),
        mean,
        sd,
        "Papageorghiou et al., Lancet 384 (2014) 869",
    )


CHARTS: tuple[GrowthChart, ...] = (
    _intergrowth(
        "AC",
        lambda w: -81.3243 + 11.6772 * w - 0.000561865 * w**3,
        lambda w: -4.36302 + 0.121445 * w**2 - 0.0130256 * w**3 + 0.00282143 * w**3 * log(w),
    ),
    _intergrowth(
        "HC",
        lambda w: -28.2849 + 1.69267 * w**2 - 0.397485 * w**2 * log(w),
        lambda w: (
            1.98735
            + 0.0136772 * w**3
            - 0.00726264 * w**3 * log(w)
            + 0.000976253 * w**3 * log(w) ** 2
        ),
    ),
    _intergrowth(
        "BPD",
        lambda w: 5.60878 + 0.158369 * w**2 - 0.00256379 * w**3,
        lambda w: exp(
            0.101242
            + 0.00150557 * w**3
            - 0.000771535 * w**3 * log(w)
            + 0.0000999638 * w**3 * log(w) ** 2
        ),
    ),
    _intergrowth(
        "OFD",
        lambda w: -12.4097 + 0.626342 * w**2 - 0.148075 * w**2 * log(w),
        lambda w: exp(
            -0.880034
            + 0.0631165 * w**2
            - 0.0317136 * w**2 * log(w)
            + 0.00408302 * w**2 * log(w) ** 2
        ),
    ),
    GrowthChart(
        "AC",
        "hadlock",
        "Hadlock 1984 AC",
        (14.0, 42.0),
        lambda w: 10 * (-13.3 + 1.61 * w - 0.00998 * w**2),
        lambda w: 13.4,
        "Hadlock et al., Radiology 152 (1984) 497",
        "By its equation, which is up to 1.7 mm below its printed table at 40 weeks.",
    ),
)


def find_chart(measure: Measure, author: Author = "intergrowth") -> GrowthChart | None:
    """Return the chart of a measure by this author; None where there is none."""
    found = (chart for chart in CHARTS if (chart.measure, chart.author) == (measure, author))
    return next(found, None)
