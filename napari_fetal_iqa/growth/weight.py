"""Estimated fetal weight, by the formulas whose measures are there."""

from dataclasses import dataclass
from math import exp, log


@dataclass(frozen=True)
class WeightEstimate:
    """An estimated weight and the formula that gave it."""

    grams: float
    formula: str
    citation: str


HADLOCK = "Hadlock et al., Am J Obstet Gynecol 151 (1985) 333"


def estimate_weight(
    ac_mm: float,
    hc_mm: float | None = None,
    bpd_mm: float | None = None,
    fl_mm: float | None = None,
) -> list[WeightEstimate]:
    """Estimate the weight by each formula that has all it needs.

    Parameters
    ----------
    ac_mm : float
        Abdominal circumference; the others, where they were measured: head circumference,
        biparietal diameter, femur length.

    Returns
    -------
    list of WeightEstimate
        Empty where only the abdomen was measured.

    Raises
    ------
    ValueError
        Where a measure is not above zero.

    References
    ----------
    INTERGROWTH-21st: Stirnemann et al., Ultrasound Obstet Gynecol 49 (2017) 478, ln of grams.
    Hadlock et al., Am J Obstet Gynecol 151 (1985) 333, log10 of grams. Both in cm.
    """
    measures = {"AC": ac_mm, "HC": hc_mm, "BPD": bpd_mm, "FL": fl_mm}
    for name, value in measures.items():
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{name}: {value} mm is no length; leave out what was not measured")
    ac = ac_mm / 10
    hc, bpd, fl = (None if value is None else value / 10 for value in (hc_mm, bpd_mm, fl_mm))
    estimates = []
    if hc is not None:
        part = (ac / 100) ** 3
        grams = exp(
            5.084820 - 54.06633 * part - 95.80076 * part * log(ac / 100) + 3.136370 * (hc / 100)
        )
        estimates.append(
            WeightEstimate(
                grams,
                "INTERGROWTH-21st (AC, HC)",
                "Stirnemann et al., Ultrasound Obstet Gynecol 49 (2017) 478",
            )
        )
    if hc is not None and bpd is not None and fl is not None:
        exponent = (
            1.3596 - 0.00386 * ac * fl + 0.0064 * hc + 0.00061 * bpd * ac + 0.0424 * ac + 0.174 * fl
        )
        estimates.append(WeightEstimate(10**exponent, "Hadlock 1985 (AC, HC, BPD, FL)", HADLOCK))
    elif fl is not None:
        exponent = 1.304 + 0.05281 * ac + 0.1938 * fl - 0.004 * ac * fl
        estimates.append(WeightEstimate(10**exponent, "Hadlock 1985 (AC, FL)", HADLOCK))
    return estimates
