import pytest

from napari_fetal_iqa.growth.weight import estimate_weight


def test_intergrowth_weight_as_published():
    (estimate,) = estimate_weight(280, hc_mm=300)
    assert estimate.grams == pytest.approx(1837, abs=0.5)


def test_hadlock_weights_by_hand():
    """AC 30, FL 6.5 cm: 1.304 + 1.5843 + 1.2597 - 0.78 = 3.368; HC 32, BPD 8.5: 3.3702."""
    (short,) = estimate_weight(300, fl_mm=65)
    assert short.grams == pytest.approx(10**3.368, rel=1e-6)
    whole = {e.formula: e.grams for e in estimate_weight(300, hc_mm=320, bpd_mm=85, fl_mm=65)}
    assert whole["Hadlock 1985 (AC, HC, BPD, FL)"] == pytest.approx(10**3.37025, rel=1e-4)
    assert "INTERGROWTH-21st (AC, HC)" in whole


def test_the_abdomen_alone_weighs_nothing():
    assert estimate_weight(300) == []


def test_no_length_is_refused():
    with pytest.raises(ValueError, match="HC"):
        estimate_weight(300, hc_mm=0)
