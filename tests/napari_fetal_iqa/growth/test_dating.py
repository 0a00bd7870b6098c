from datetime import date

import pytest

from napari_fetal_iqa.growth.dating import Dating


@pytest.mark.parametrize("text", ["27w3d", "27+3", "27 3/7", " 27 W 3 D ".replace(" ", ""), "27 3"])
def test_weeks_and_days_as_people_write_them(text):
    assert Dating.from_weeks(text) == Dating("weeks", 192)


def test_whole_weeks():
    assert str(Dating.from_weeks("27")) == "27w0d (as entered)"


@pytest.mark.parametrize("text", ["", "27w7d", "w3", "273", "27.5", "-3", "50w0d", "27w3d 1"])
def test_what_is_no_age_is_refused(text):
    with pytest.raises(ValueError, match=r"weeks"):
        Dating.from_weeks(text)


def test_by_the_last_period_and_by_the_expected_delivery_it_is_the_same_pregnancy():
    examined, lmp = date(2026, 11, 30), date(2026, 5, 25)
    by_lmp = Dating.from_lmp(lmp, examined)
    by_edd = Dating.from_edd(date(2027, 3, 1), examined)  # Naegele: 25 May and 280 days
    assert by_lmp.days == by_edd.days == 189
    assert str(by_edd) == "27w0d (by EDD)"
    assert by_lmp.weeks == 27


def test_dates_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="no age of a pregnancy"):
        Dating.from_lmp(date(2026, 12, 1), date(2026, 11, 30))
    with pytest.raises(ValueError, match="no age of a pregnancy"):
        Dating.from_edd(date(2025, 3, 1), date(2026, 11, 30))
