"""The charts against their published tables."""

import pytest
import scipy

from napari_fetal_iqa.growth.charts import (
    CHARTS,
    SHOWN_CENTILES,
    OutOfChartError,
    Standing,
    find_chart,
)

INTERGROWTH = {
    ("AC", 20): (133.4, 137.9, 147.7, 157.5, 162.1),
    ("AC", 28): (212.1, 218.8, 233.3, 247.8, 254.5),
    ("AC", 36): (280.8, 291.0, 312.8, 334.7, 344.9),
}
"""Papageorghiou et al. 2014, the printed tables: 3rd, 10th, 50th, 90th, 97th centile in mm."""


@pytest.mark.parametrize(("measure", "weeks"), INTERGROWTH)
def test_intergrowth_is_its_printed_table(measure, weeks):
    chart = find_chart(measure)
    values = [chart.value_mm(centile, weeks) for centile in SHOWN_CENTILES]
    assert values == pytest.approx(INTERGROWTH[measure, weeks], abs=0.06)


def test_hadlock_is_its_equation_and_near_its_printed_table():
    chart = find_chart("AC", "hadlock")
    assert chart.value_mm(50, 36) == pytest.approx(317.3, abs=0.05)
    assert chart.value_mm(50, 36) == pytest.approx(318, abs=1.7)  # as printed
    low, high = chart.value_mm(2.5, 30), chart.value_mm(97.5, 30)
    assert high - low == pytest.approx(2 * 1.96 * 13.4, abs=0.1)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.title)
def test_every_chart_grows_with_age_and_is_undone_by_its_standing(chart):
    youngest, oldest = map(int, chart.weeks)
    medians = [chart.value_mm(50, weeks) for weeks in range(youngest, oldest + 1)]
    assert medians == sorted(medians)
    for weeks in (youngest, 27.4, oldest):
        for centile in SHOWN_CENTILES:
            standing = chart.standing(chart.value_mm(centile, weeks), weeks)
            assert standing.centile == pytest.approx(centile)
            assert standing.z == pytest.approx(scipy.stats.norm.ppf(centile / 100))


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.title)
def test_head_diameters_and_circumference_agree(chart):
    """The outline of the head is nearly an ellipse of its two diameters."""
    if chart.measure != "HC":
        return
    bpd, ofd = find_chart("BPD"), find_chart("OFD")
    for weeks in range(14, 41):
        mean_diameter = (bpd.value_mm(50, weeks) + ofd.value_mm(50, weeks)) / 2
        assert chart.value_mm(50, weeks) == pytest.approx(3.1416 * mean_diameter, rel=0.03)


def test_an_age_beyond_the_chart_is_refused_with_its_range():
    with pytest.raises(OutOfChartError, match=r"INTERGROWTH-21st AC is for 14 to 40 weeks, not"):
        find_chart("AC").standing(300, 40.5)
    with pytest.raises(OutOfChartError):
        find_chart("AC", "hadlock").value_mm(50, float("nan"))


def test_no_chart_is_made_up():
    assert find_chart("HC", "hadlock") is None


@pytest.mark.parametrize(
    ("centile", "words"),
    [
        (0.2, "below the 1st centile"),
        (2.6, "3rd centile"),
        (11.4, "11th centile"),
        (21.9, "22nd centile"),
        (50.7, "51st centile"),
        (99.4, "above the 99th centile"),
    ],
)
def test_a_centile_in_words(centile, words):
    assert str(Standing(0.0, centile)) == words
