import csv

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import (
    AcouslicCase,
    list_cases,
    open_frames,
    open_masks,
    read_sweep,
    write_case,
    write_volume,
)
from napari_fetal_iqa.io.acouslic import TABLE
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture
def sweep(volume):
    return SweepVolume(volume, (0.28, 0.28))


@pytest.fixture
def masks(volume):
    masks = np.zeros_like(volume)
    masks[2, 5:15, 5:15], masks[3, 5:15, 5:15] = 1, 2
    return masks


def test_a_case_is_found_again_with_all_that_was_written(tmp_path, sweep, masks):
    written = write_case(tmp_path, "a-1", sweep, masks, [231.25, None, 240], "subject_7")

    (case,) = list_cases(tmp_path)

    assert case == written
    assert case == AcouslicCase(
        "a-1",
        "subject_7",
        tmp_path / "images" / "stacked_fetal_ultrasound" / "a-1.mha",
        tmp_path / "masks" / "stacked_fetal_abdomen" / "a-1.mha",
        (231.25, None, 240.0, None, None, None),
    )
    assert read_sweep(case.image_path).identity == sweep.identity
    assert read_sweep(case.image_path).spacing_mm == (0.28, 0.28)
    assert np.array_equal(read_sweep(case.mask_path).frames, masks)


def test_the_table_has_the_columns_of_the_data_set(tmp_path, sweep, masks):
    write_case(tmp_path, "a", sweep, masks, [None] * 6, "s")

    header = (tmp_path / TABLE).read_text().splitlines()[0]

    assert header == "uuid,subject_id," + ",".join(f"sweep_{n}_ac_mm" for n in range(1, 7))


def test_cases_keep_their_order_and_a_second_writing_replaces(tmp_path, sweep, masks):
    for uuid in "abc":
        write_case(tmp_path, uuid, sweep, masks, [], "s")

    write_case(tmp_path, "b", sweep, masks, [200.0], "t", compress=False)

    cases = list_cases(tmp_path)
    assert [case.uuid for case in cases] == ["a", "b", "c"]
    assert (cases[1].subject_id, cases[1].ac_mm[0]) == ("t", 200.0)


def test_columns_of_others_do_no_harm(tmp_path, sweep, masks):
    write_case(tmp_path, "a", sweep, masks, [], "s")
    rows = list(csv.reader((tmp_path / TABLE).open()))
    with (tmp_path / TABLE).open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([*row, note] for row, note in zip(rows, "xy", strict=True))

    write_case(tmp_path, "b", sweep, masks, [], "s")

    assert [case.uuid for case in list_cases(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("text", ["", " ", "nan"])
def test_a_sweep_that_is_not_annotated_has_no_circumference(tmp_path, sweep, masks, text):
    write_case(tmp_path, "a", sweep, masks, [123.5], "s")
    table = tmp_path / TABLE
    table.write_text(table.read_text().replace("123.5", text))

    assert list_cases(tmp_path)[0].ac_mm[0] is None


@pytest.mark.parametrize("text", ["wide", "-3", "0", "inf"])
def test_a_circumference_that_makes_no_sense_is_named_by_its_line(tmp_path, sweep, masks, text):
    write_case(tmp_path, "a", sweep, masks, [], "s")
    write_case(tmp_path, "b", sweep, masks, [123.5], "s")
    table = tmp_path / TABLE
    table.write_text(table.read_text().replace("123.5", text))

    with pytest.raises(SweepError, match="line 3"):
        list_cases(tmp_path)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(SweepError, match="expected an ACOUSLIC-AI data set"):
        list_cases(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"uuid,subject_id\na,s\n", "a column"), (b"\xff\xfe\xff", "cannot be read"), (b"", "column")],
)
def test_a_table_that_is_none_is_refused(tmp_path, data, message):
    (tmp_path / TABLE).parent.mkdir()
    (tmp_path / TABLE).write_bytes(data)

    with pytest.raises(SweepError, match=message):
        list_cases(tmp_path)


def test_a_volume_that_the_table_names_but_is_missing_is_named(tmp_path, sweep, masks):
    case = write_case(tmp_path, "a", sweep, masks, [], "s")
    case.mask_path.unlink()

    with pytest.raises(SweepError, match=r"names case a, but masks.*a\.mha is missing"):
        list_cases(tmp_path)


def test_named_cases_alone_are_listed_and_others_may_be_missing(tmp_path, sweep, masks):
    first, second, third = (write_case(tmp_path, uuid, sweep, masks, [], "s") for uuid in "abc")
    second.image_path.unlink()
    assert list_cases(tmp_path, only={"c", "a", "unknown"}) == [first, third]
    with pytest.raises(SweepError, match="names case b"):
        list_cases(tmp_path, only={"a", "b"})
    assert list_cases(tmp_path, only={"b"}, must_exist=False) == [second]


def test_the_annotated_sweeps_are_those_with_a_circumference(tmp_path, sweep, masks):
    case = write_case(tmp_path, "a", sweep, masks, [None, 231.25, None, 240.0], "s")
    assert case.annotated_sweeps == (1, 3)


@pytest.fixture
def case_of_six(tmp_path):
    """A case of six sweeps of two frames."""
    frames = np.arange(12, dtype=np.uint8)[:, None, None] * np.ones((20, 30), np.uint8)
    masks = np.zeros_like(frames)
    masks[3, 5:15, 5:15], masks[10, 5:15, 5:15] = 1, 2
    return write_case(tmp_path, "a", SweepVolume(frames, (0.28, 0.3)), masks, [200.0], "s")


def test_the_frames_of_a_case_are_six_sweeps_of_one_length(case_of_six):
    volume = open_frames(case_of_six)
    assert volume.bounds == ((0, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 12))
    assert volume.spacing_mm == (0.28, 0.3)
    assert volume.identity == read_sweep(case_of_six.image_path).identity


def test_the_masks_of_a_case_hold_its_planes(case_of_six):
    masks = np.asarray(open_masks(case_of_six, (12, 20, 30)).frames)
    assert {frame: int(masks[frame].max()) for frame in np.flatnonzero(masks.any((1, 2)))} == {
        3: 1,
        10: 2,
    }


def test_frames_that_are_not_six_sweeps_are_named(tmp_path, sweep, masks):
    case = write_case(tmp_path, "a", sweep, masks, [], "s")
    write_volume(case.image_path, np.ones((7, 20, 30), np.uint8))
    with pytest.raises(SweepError, match=r"a\.mha: expected 6 sweeps of equal length, found 7"):
        open_frames(case)


def test_masks_on_another_grid_than_the_frames_are_named(case_of_six):
    with pytest.raises(SweepError, match=r"masks of a\.mha: expected the grid \(12, 20, 31\)"):
        open_masks(case_of_six, (12, 20, 31))


@pytest.mark.parametrize("uuid", ["", "../a", "a/b", "a b", "a.b", "é"])
def test_a_uuid_that_is_no_file_name_is_refused(tmp_path, sweep, masks, uuid):
    with pytest.raises(SweepError, match="letters, digits"):
        write_case(tmp_path, uuid, sweep, masks, [], "s")


def test_masks_lie_on_the_grid_of_the_sweep(tmp_path, sweep, masks):
    with pytest.raises(SweepError, match="on the grid"):
        write_case(tmp_path, "a", sweep, masks[:3], [], "s")


def test_there_are_six_circumferences_at_most(tmp_path, sweep, masks):
    with pytest.raises(SweepError, match="at most 6"):
        write_case(tmp_path, "a", sweep, masks, [None] * 7, "s")
    assert not (tmp_path / TABLE).exists()


def test_empty_lines_of_a_spreadsheet_are_no_cases(tmp_path, sweep, masks):
    write_case(tmp_path, "a", sweep, masks, [250.0], "s")
    with (tmp_path / TABLE).open("a") as table:
        table.write(",,,,,,,\n")

    assert [case.uuid for case in list_cases(tmp_path)] == ["a"]


@pytest.mark.parametrize("uuid", ["../../a", "a/b", "", "Doe^Jane"])
def test_a_table_leads_to_no_file_elsewhere_and_is_not_quoted(tmp_path, sweep, masks, uuid):
    write_case(tmp_path, "a", sweep, masks, [250.0], "s")
    with (tmp_path / TABLE).open("a") as table:
        table.write(f"{uuid},Smith,,,,,,\n")

    with pytest.raises(SweepError, match="in line 3, found none or another; copy") as caught:
        list_cases(tmp_path)

    assert "Doe" not in str(caught.value)


def test_a_circumference_that_is_none_is_not_quoted(tmp_path, sweep, masks):
    write_case(tmp_path, "a", sweep, masks, [250.0], "s")
    table = tmp_path / TABLE
    table.write_text(table.read_text().replace("250", "Doe^Jane"))

    with pytest.raises(SweepError, match=r"in line 2, found something else; correct") as caught:
        list_cases(tmp_path)

    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("damage", ['"' + "x" * 200_000, "x" * 200_000])
def test_a_table_that_is_no_csv_is_refused_in_one_line(tmp_path, sweep, masks, damage):
    write_case(tmp_path, "a", sweep, masks, [250.0], "P1")
    with (tmp_path / TABLE).open("a") as file:
        file.write(damage)
    with pytest.raises(SweepError, match="no table that can be read") as refused:
        list_cases(tmp_path)
    assert "xxx" not in str(refused.value)


def test_of_a_line_that_ends_early_the_rest_is_empty(tmp_path, sweep, masks):
    write_case(tmp_path, "a", sweep, masks, [250.0], "P1")
    with (tmp_path / TABLE).open("a") as file:
        file.write("b\n")
    cases = list_cases(tmp_path, must_exist=False)
    assert [case.subject_id for case in cases] == ["P1", ""]
    assert cases[1].annotated_sweeps == ()
