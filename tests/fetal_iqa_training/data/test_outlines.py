import pytest

from fetal_iqa_training.data.outlines import COLUMNS, PlaneEllipse, read_outlines
from fetal_iqa_training.errors import TrainingError


def table(folder, *lines):
    path = folder / "outlines.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return path


def test_the_first_pass_counts_and_what_cannot_be_told_is_left_out(tmp_path):
    path = table(
        tmp_path,
        "a.jpg,7,101.5,88,60,50,15,2,again",
        "a.jpg,7,100,90,61,52,10,1,",
        "b.jpg,7,,,,,,1,hidden by a shadow",
    )
    assert read_outlines(path) == {"a.jpg": PlaneEllipse(100, 90, 61, 52, 10)}


def test_a_circle_s_circumference():
    assert PlaneEllipse(0, 0, 10, 10).circumference == pytest.approx(62.83185, abs=1e-4)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ("1,2,60,x,0,1,", "no numbers"),
        ("1,2,-60,50,0,1,", "axes are -60 and 50"),
        ("1,2,60,4.9,0,1,", "axes are 60 and 4.9"),
        ("1,2,5001,4000,0,1,", "axes are 5001"),
        ("1,2,60,nan,0,1,", "axes are 60 and nan"),
        ("1,2,61,20,0,1,", "3.0 times|3.1 times"),
        ("1,nan,60,50,0,1,", "centre is 1, nan"),
        ("inf,1,60,50,0,1,", "centre is inf, 1"),
        ("1,-2,60,50,0,1,", "centre is 1, -2"),
        ("1,10001,60,50,0,1,", "centre is 1, 10001"),
        ("1,2,60,50,inf,1,", "angle is inf"),
        ("50", "not as many fields"),
        ("1,2,60,50,0,1", "not as many fields"),
        ("1,5,2,60,50,0,1,", "not as many fields"),
        ("1,2,,50,0,1,", "has no a;"),
    ],
)
def test_a_line_that_is_no_ellipse_is_refused(tmp_path, numbers, words):
    with pytest.raises(TrainingError, match=f"line 2 .*({words})") as told:
        read_outlines(table(tmp_path, f"a.jpg,7,{numbers}"))
    assert "\n" not in str(told.value)


def test_the_outlines_of_the_program_are_sound():
    assert len(read_outlines()) > 100


@pytest.mark.parametrize("centre", [(100, 50), (50, 80), (99.5, 50), (-1, 50)])
def test_a_centre_off_the_image_is_refused(centre):
    PlaneEllipse(99, 79, 30, 20).check_centre((100, 80), "a.jpg")
    with pytest.raises(TrainingError, match=r"a\.jpg: the centre .* not on the image of 100 x 80"):
        PlaneEllipse(*centre, 30, 20).check_centre((100, 80), "a.jpg")


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no table of outlines"):
        read_outlines(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("file,subject\na,b\n")
    with pytest.raises(TrainingError, match="expected a column 'a'"):
        read_outlines(tmp_path / "other.csv")
