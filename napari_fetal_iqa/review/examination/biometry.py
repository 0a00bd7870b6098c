"""What else was measured in a case: the free calipers that somebody named, and the weight by them.

Only what an expert drew and named counts: no model of this program outlines a head or a femur.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_fetal_iqa.geometry.caliper import CaliperMeasure
from napari_fetal_iqa.growth.weight import WeightEstimate, estimate_weight
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames


@dataclass(frozen=True)
class NamedMeasure:
    """One measure of a case.

    Parameters
    ----------
    measure : CaliperMeasure
    value_mm : float
        Mean of the calipers of this name.
    places : tuple of (int, int)
        Which volume of the case, and which of its frames, of each caliper; 0-based.
    range_mm : (float, float)
        Smallest and largest of them.
    """

    measure: CaliperMeasure
    value_mm: float
    places: tuple[tuple[int, int], ...]
    range_mm: tuple[float, float]

    @property
    def made_of(self) -> str:
        """How it came about, in words."""
        count = len(self.places)
        if count == 1:
            return "one caliper"
        low, high = self.range_mm
        return f"mean of {count} calipers, {low:.1f} to {high:.1f} mm"


def named_measures(volumes: Sequence[ReviewedFrames]) -> tuple[NamedMeasure, ...]:
    """Return what the reviewer's named calipers measure, in the order HC, BPD, OFD, FL.

    Those on a sweep without a spacing have no millimetres, and are left out.
    """
    found: dict[CaliperMeasure, list[tuple[tuple[int, int], float]]] = {}
    for number, volume in enumerate(volumes):
        spacing = volume.sweep.spacing_mm
        for placed in volume.calipers() if spacing is not None else ():
            if placed.measure is not None:
                length = placed.caliper.size(spacing).length
                found.setdefault(placed.measure, []).append(((number, placed.frame), length))
    measures = []
    for measure in CaliperMeasure:
        if pairs := found.get(measure):
            values = [value for _, value in pairs]
            measures.append(
                NamedMeasure(
                    measure,
                    sum(values) / len(values),
                    tuple(place for place, _ in pairs),
                    (min(values), max(values)),
                )
            )
    return tuple(measures)


def weights_of(ac_mm: float | None, measures: Sequence[NamedMeasure]) -> tuple[WeightEstimate, ...]:
    """Return the weights by every formula that finds what it needs; none without an AC."""
    if ac_mm is None:
        return ()
    known = {one.measure: one.value_mm for one in measures}
    return tuple(
        estimate_weight(
            ac_mm,
            known.get(CaliperMeasure.HC),
            known.get(CaliperMeasure.BPD),
            known.get(CaliperMeasure.FL),
        )
    )
