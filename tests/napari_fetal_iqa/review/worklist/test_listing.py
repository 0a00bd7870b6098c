"""Which sweeps stand in a list, and what they are called."""

import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.review.worklist.listing import list_sweeps
from napari_fetal_iqa.storage.recent import MOST, Recent, recent_sweeps, remember_opened


def names(listing):
    return [listing.name(source) for source in listing.sources]


def test_an_exam_is_the_sweeps_of_a_folder_in_the_order_of_their_numbers(tmp_path, volume):
    for number in (10, 2, 1):
        write_volume(tmp_path / f"sweep_{number}.mha", volume)
    write_volume(tmp_path / "other.nii.gz", volume)
    (tmp_path / "notes.txt").write_text("no sweep")
    listing = list_sweeps(tmp_path)
    assert names(listing) == ["other", "sweep_1", "sweep_2", "sweep_10"]
    assert "notes.txt" in listing.notice


def test_a_folder_of_exams_lists_the_sweeps_of_all(tmp_path, volume):
    for exam in ("exam_2", "exam_10"):
        write_volume(tmp_path / exam / "a.mha", volume)
        write_volume(tmp_path / exam / "b.mha", volume)
    listing = list_sweeps(tmp_path)
    assert names(listing) == ["exam_2/a", "exam_2/b", "exam_10/a", "exam_10/b"]
    assert listing.notice == ""
    (tmp_path / "film.gz").write_bytes(b"no sweep")
    assert list_sweeps(tmp_path).notice.endswith(": left out film.gz")


def test_a_folder_without_sweeps_is_refused_in_one_line(tmp_path):
    with pytest.raises(SweepError, match=r"found none; choose the folder[^\n]*$"):
        list_sweeps(tmp_path)
    (tmp_path / "a/b/c/d/e/f").mkdir(parents=True)
    with pytest.raises(SweepError, match=r"found none down to the depth [^\n]*; choose the folder"):
        list_sweeps(tmp_path)
    with pytest.raises(SweepError, match=r"cannot be read[^\n]*$"):
        list_sweeps(tmp_path / "gone")


def test_what_was_opened_last_comes_first_once_and_only_while_it_is_there(tmp_path):
    files = [tmp_path / f"{number}.mha" for number in range(MOST + 2)]
    for file in files:
        file.touch()
        remember_opened(file)
    remember_opened(files[5], tmp_path)
    files[-1].unlink()
    found = recent_sweeps()
    assert found[0] == Recent(str(files[5]), str(tmp_path))
    assert [one.path for one in found].count(str(files[5])) == 1
    assert str(files[-1]) not in [one.path for one in found]
    assert len(found) == MOST - 1


def test_a_damaged_list_of_what_was_opened_is_begun_anew(tmp_path, monkeypatch):
    from napari_fetal_iqa.storage import paths

    remember_opened(tmp_path)
    (paths.home() / "recent.json").write_text('[{"path": 1}, 2]')
    assert recent_sweeps() == ()
    remember_opened(tmp_path)
    assert [one.path for one in recent_sweeps()] == [str(tmp_path)]
