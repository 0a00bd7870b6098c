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
    "line", ["a.jpg,7,1,2,3,x,0,1,", "a.jpg,7,1,2,-3,4,0,1,", "a.jpg,7,1,nan,3,4,0,1,"]
)
def test_a_line_that_is_no_ellipse_is_refused(tmp_path, line):
    with pytest.raises(TrainingError, match="line 2"):
        read_outlines(table(tmp_path, line))


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no table of outlines"):
        read_outlines(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("file,subject\na,b\n")
    with pytest.raises(TrainingError, match="expected a column 'a'"):
        read_outlines(tmp_path / "other.csv")
