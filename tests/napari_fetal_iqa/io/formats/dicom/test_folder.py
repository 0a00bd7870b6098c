import io
import logging
import shutil

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import discovery, read_sweep


def test_single_frames_of_a_series_are_a_sweep_in_order_of_instance(save_dicom, volume, tmp_path):
    for frame, name in enumerate("GFEDCBA"):  # names run against the numbers
        save_dicom(
            f"case/{name}",
            volume[frame : frame + 1],
            SeriesInstanceUID="1.2",
            InstanceNumber=frame + 1,
            PixelSpacing=[0.2, 0.3],
        )

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == (0.2, 0.3)
    assert (sweep.name, sweep.source_format) == ("case", "DICOM folder")
    assert sweep.bounds == ((0, 7),)


ENCODINGS = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_the_order_is_that_of_the_numbers_in_every_encoding(save_dicom, tmp_path, syntax):
    # Taken as binary, the text of these numbers would sort otherwise, or be no number.
    numbers = [1, 2, 9, 10, 11, 20, 99, 100, 101, 120, 1000, 1001]
    for rank, number in enumerate(numbers):
        save_dicom(
            f"case/IM{99 - rank}",
            np.full((1, 6, 8), rank, np.uint8),
            syntax,
            SeriesInstanceUID="1.2",
            InstanceNumber=number,
            PixelSpacing=[0.2, 0.3],
        )

    sweep = read_sweep(tmp_path / "case")

    assert np.asarray(sweep.frames)[:, 0, 0].tolist() == list(range(len(numbers)))
    assert sweep.spacing_mm == (0.2, 0.3)


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_series_come_in_the_order_of_their_numbers_in_every_encoding(save_dicom, tmp_path, syntax):
    numbers = [2, 9, 10, 11, 20, 101]
    for rank, number in enumerate(numbers):
        save_dicom(
            f"case/IM{99 - rank}",
            np.full((2, 6, 8), rank, np.uint8),
            syntax,
            SeriesInstanceUID=f"1.{9 - rank}",
            SeriesNumber=number,
            InstanceNumber=1,
        )

    frames = np.asarray(read_sweep(tmp_path / "case").frames)

    assert frames[::2, 0, 0].tolist() == list(range(len(numbers)))


def test_frames_without_numbers_come_in_the_natural_order_of_names(save_dicom, volume, tmp_path):
    frames = np.concatenate([volume, volume[::-1]])
    for number in range(len(frames)):
        save_dicom(f"case/im{number}.dcm", frames[number : number + 1], SeriesInstanceUID="1.2")

    assert np.array_equal(read_sweep(tmp_path / "case").frames, frames)


def test_every_series_is_a_sweep(save_dicom, volume, tmp_path):
    for frame in range(7):
        save_dicom(
            f"case/{frame}.dcm",
            volume[frame : frame + 1],
            SeriesInstanceUID="1.9" if frame < 3 else "1.2",
            SeriesNumber=1 if frame < 3 else 2,
            InstanceNumber=frame,
        )

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 3), (3, 7))


def test_every_cine_is_a_sweep_even_within_one_series(save_dicom, volume, tmp_path):
    for number, (start, stop) in enumerate([(0, 2), (2, 6), (6, 7)]):
        save_dicom(
            f"case/{number}.dcm",
            volume[start:stop],
            SeriesInstanceUID="1.2",
            InstanceNumber=number,
        )

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 2), (2, 6), (6, 7))
    assert read_sweep(tmp_path / "case", frames_per_sweep=4).bounds == ((0, 4), (4, 7))


def test_other_files_and_the_directory_file_are_passed_over(save_dicom, volume, tmp_path):
    shutil.copy(save_dicom("case/a.dcm", volume), tmp_path / "case" / "DICOMDIR")
    (tmp_path / "case" / "readme.txt").write_text("hello")
    (tmp_path / "case" / "inner").mkdir()

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)


def test_spacings_that_differ_are_not_mixed(save_dicom, volume, tmp_path):
    save_dicom("case/a.dcm", volume, PixelSpacing=[0.2, 0.3])
    save_dicom("case/b.dcm", volume, PixelSpacing=[0.3, 0.3])

    with pytest.raises(SweepError, match=r"case: expected DICOM files of one spacing, found 2"):
        read_sweep(tmp_path / "case")


def test_a_spacing_that_some_files_lack_is_not_assumed(save_dicom, volume, tmp_path):
    save_dicom("case/a.dcm", volume, PixelSpacing=[0.2, 0.3])
    save_dicom("case/b.dcm", volume)

    with pytest.raises(SweepError, match="one spacing"):
        read_sweep(tmp_path / "case")


def test_sizes_that_differ_are_not_mixed(save_dicom, volume, tmp_path):
    save_dicom("case/a.dcm", volume)
    save_dicom("case/b.dcm", volume[:, :9])

    with pytest.raises(SweepError, match="case: expected frames of one size"):
        read_sweep(tmp_path / "case")


def test_a_damaged_file_is_named(save_dicom, volume, tmp_path):
    save_dicom("case/a.dcm", volume)
    path = save_dicom("case/b.dcm", volume)
    path.write_bytes(path.read_bytes()[:300])

    with pytest.raises(SweepError, match=r"^b\.dcm: expected"):
        read_sweep(tmp_path / "case")


def test_a_report_among_the_images_is_passed_over_and_logged(save_dicom, volume, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    save_dicom("case/a.dcm", volume)
    shutil.copy(get_testdata_file("test-SR.dcm"), tmp_path / "case" / "report.dcm")

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)
    assert "report.dcm: passed over" in caplog.text


def test_a_folder_of_reports_is_no_sweep(tmp_path):
    shutil.copy(get_testdata_file("test-SR.dcm"), tmp_path / "report.dcm")

    with pytest.raises(SweepError, match="found 1 files without pixels"):
        read_sweep(tmp_path)


def test_the_tree_of_an_export_is_read_in_the_order_of_its_names(save_dicom, volume, tmp_path):
    for number in range(7):
        save_dicom(f"case/DICOM/S{number + 7}/IM1", volume[number : number + 1])
    (tmp_path / "case" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)  # S10 after S9


def test_folders_below_one_that_holds_frames_are_passed_over(save_dicom, volume, tmp_path):
    save_dicom("case/a.dcm", volume)
    save_dicom("case/earlier/a.dcm", volume[:2])

    assert read_sweep(tmp_path / "case").shape == volume.shape


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 2), ("MAX_DEPTH", 0)])
def test_more_than_an_examination_is_not_looked_through(
    save_dicom, volume, tmp_path, monkeypatch, limit, value
):
    for number in range(3):
        save_dicom(f"case/{number}/IM1", volume)
    monkeypatch.setattr(discovery, limit, value)

    with pytest.raises(SweepError, match=r"case: expected .*; choose the folder that holds them"):
        read_sweep(tmp_path / "case")


# Copies


def jpeg(frame, quality):
    packed = io.BytesIO()
    Image.fromarray(frame).save(packed, "jpeg", quality=quality)
    return packed.getvalue()


@pytest.fixture
def speckle():
    """Seven frames of speckle in a fan, each other than the one before: (7, 96, 128) uint8."""
    rng = np.random.default_rng(3)
    noise = rng.rayleigh(40, (7, 98, 130))
    smooth = sum(noise[:, y : y + 96, x : x + 128] for y in range(3) for x in range(3)) / 9
    fan = np.hypot(*np.mgrid[:96, -64:64]) < 90
    return (smooth * fan).clip(0, 255).astype(np.uint8)


@pytest.fixture
def save_case(save_dicom, volume):
    """Write seven single frames with identities, numbered, as ``case/IM1`` to ``case/IM7``."""

    def save(**attributes):
        return [
            save_dicom(
                f"case/IM{frame + 1}",
                volume[frame : frame + 1],
                SeriesInstanceUID="1.2",
                **{
                    "SOPInstanceUID": f"1.2.{frame + 1}",
                    "InstanceNumber": frame + 1,
                    **attributes,
                },
            )
            for frame in range(7)
        ]

    return save


@pytest.mark.parametrize("number", [True, False])
def test_a_copy_of_a_file_counts_once(save_case, volume, tmp_path, caplog, number):
    paths = save_case(**({} if number else {"InstanceNumber": None}))
    shutil.copy(paths[1], tmp_path / "case" / "IM2 - Copy")

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)
    assert "IM2 - Copy: passed over, as it is a copy" in caplog.text


def test_a_copy_in_another_transfer_syntax_counts_once(save_case, volume, tmp_path):
    paths = save_case()
    dataset = pydicom.dcmread(paths[3])
    dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    dataset.save_as(tmp_path / "case" / "IM9")

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)


@pytest.mark.parametrize("number", [{}, {"InstanceNumber": None}])
@pytest.mark.parametrize("frames", [1, 7])
def test_a_copy_without_loss_counts_once_with_or_without_a_number(
    save_dicom, volume, tmp_path, number, frames
):
    for start in range(0, 7, frames):
        path = save_dicom(
            f"case/IM{start}",
            volume[start : start + frames],
            SeriesInstanceUID="1.2",
            **{"SOPInstanceUID": f"1.2.{start}", "InstanceNumber": start, **number},
        )
        if start in (0, 2):
            dataset = pydicom.dcmread(path)
            dataset.compress(uid.RLELossless, generate_instance_uid=False)
            dataset.save_as(tmp_path / "case" / f"IM{start} - compressed")

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 7),)


@pytest.mark.parametrize("number", [None, 99])
@pytest.mark.parametrize("name", ["IM3b", "A copy"])
def test_a_copy_of_another_number_or_none_counts_once_and_keeps_its_place(
    save_case, volume, tmp_path, number, name
):
    dataset = pydicom.dcmread(save_case()[2])
    dataset.InstanceNumber = number
    dataset.save_as(tmp_path / "case" / name)

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)


def test_other_pixels_in_another_syntax_under_one_identity_are_no_copy(
    save_dicom, volume, tmp_path
):
    save_dicom("case/a", volume, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2")
    dataset = pydicom.dcmread(
        save_dicom("case/b", 255 - volume, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2")
    )
    dataset.compress(uid.RLELossless, generate_instance_uid=False)
    dataset.save_as(tmp_path / "case" / "b")

    assert np.array_equal(read_sweep(tmp_path / "case").frames, [*volume, *(255 - volume)])


@pytest.mark.parametrize("number", [4, None])
@pytest.mark.parametrize("quality", [50, 95])
def test_a_copy_with_loss_counts_once_with_or_without_a_number(
    save_dicom, tmp_path, speckle, number, quality
):
    frames = speckle
    for frame in range(len(frames)):
        save_dicom(
            f"case/IM{frame}",
            frames[frame : frame + 1],
            SeriesInstanceUID="1.2",
            SOPInstanceUID="1.2.3",  # one for all, as some anonymising programs give it
            InstanceNumber=None if number is None else frame,
        )
    dataset = pydicom.dcmread(tmp_path / "case" / "IM4")
    dataset.PixelData = encapsulate([jpeg(frames[4], quality)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    dataset.save_as(tmp_path / "case" / "IM4 - sent again")

    assert np.array_equal(read_sweep(tmp_path / "case").frames, frames)


def test_another_picture_with_loss_under_one_identity_is_no_copy(save_dicom, tmp_path, speckle):
    own = {"SeriesInstanceUID": "1.2", "SOPInstanceUID": "1.2.3"}
    save_dicom("case/a", speckle[:1], **own)
    dataset = pydicom.dcmread(save_dicom("case/b", speckle[1:2], **own))
    dataset.PixelData = encapsulate([jpeg(speckle[1], 95)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    dataset.save_as(tmp_path / "case" / "b")

    assert read_sweep(tmp_path / "case").shape == (2, 96, 128)


def in_implicit_vr(dataset):
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian


def with_padding_behind_the_pixels(dataset):
    dataset.add_new(0xFFFCFFFC, "OB", bytes(8))


def in_a_new_series(dataset):
    dataset.SeriesInstanceUID = "1.1"


def without_its_number_of_frames(dataset):
    del dataset.NumberOfFrames


@pytest.mark.parametrize("number", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        [in_implicit_vr],
        [with_padding_behind_the_pixels],
        [in_a_new_series],
        [without_its_number_of_frames],
        [in_implicit_vr, with_padding_behind_the_pixels, in_a_new_series],
    ],
)
def test_a_copy_that_was_stored_anew_counts_once(save_case, volume, tmp_path, number, changes):
    paths = save_case(**({} if number else {"InstanceNumber": None}))
    dataset = pydicom.dcmread(paths[3])
    for change in changes:
        change(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    pydicom.dcmwrite(
        tmp_path / "case" / "A copy",  # comes first
        dataset,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=True,
    )

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 7),)


def test_a_series_that_was_stored_twice_counts_once_and_stays_whole(save_case, volume, tmp_path):
    for number, path in enumerate(save_case()):
        dataset = pydicom.dcmread(path)
        in_a_new_series(dataset)
        dataset.save_as(tmp_path / "case" / f"{'A' if number % 2 else 'Z'}{number}")

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 7),)


def test_a_copy_in_the_other_byte_order_counts_once(save_dicom, volume, tmp_path):
    for name, syntax in (("a", uid.ExplicitVRLittleEndian), ("b", uid.ExplicitVRBigEndian)):
        save_dicom(f"case/{name}", volume.astype(np.uint16), syntax, SOPInstanceUID="1.2.3")

    assert read_sweep(tmp_path / "case").shape == volume.shape


def test_equal_frames_of_two_series_under_one_identity_are_not_copies(save_dicom, volume, tmp_path):
    frames = np.concatenate([volume[:3], volume[:1], volume[4:6]])  # both begin alike
    for frame in range(6):
        save_dicom(
            f"case/{frame}",
            frames[frame : frame + 1],
            SeriesInstanceUID=f"1.{frame // 3}",
            SeriesNumber=frame // 3,
            SOPInstanceUID="1.2.3",
            InstanceNumber=frame % 3,
        )

    assert np.array_equal(read_sweep(tmp_path / "case").frames, frames)


@pytest.mark.parametrize("number", [{}, {"InstanceNumber": 1}, {"InstanceNumber": None}])
def test_images_to_which_a_program_gave_one_identity_are_not_copies(
    save_case, volume, tmp_path, number
):
    save_case(SOPInstanceUID="1.2.3", **number)

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)


def test_equal_frames_of_other_identity_are_not_copies(save_dicom, volume, tmp_path):
    for frame in range(3):
        save_dicom(
            f"case/{frame}",
            volume[:1],
            SeriesInstanceUID="1.2",
            SOPInstanceUID=f"1.2.{frame}",
            InstanceNumber=frame,
        )

    assert read_sweep(tmp_path / "case").shape[0] == 3


def test_a_copy_of_a_cine_counts_once(save_dicom, volume, tmp_path):
    path = save_dicom("case/a", volume, SOPInstanceUID="1.2.3")
    shutil.copy(path, tmp_path / "case" / "b")

    assert read_sweep(tmp_path / "case").shape == volume.shape


def test_a_series_in_which_a_number_is_text_comes_in_the_order_of_names(
    save_case, volume, tmp_path
):
    paths = save_case()
    for path, text in zip(paths[2:4], (b"x ", b"a "), strict=True):
        data = path.read_bytes()
        at = data.index(b"\x20\x00\x13\x00IS") + 8
        path.write_bytes(data[:at] + text + data[at + 2 :])

    assert np.array_equal(read_sweep(tmp_path / "case").frames, volume)


def test_single_frames_without_a_number_of_frames_are_one_sweep(save_case, volume, tmp_path):
    save_case(NumberOfFrames=None)

    sweep = read_sweep(tmp_path / "case")

    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 7),)


def test_cines_whose_count_is_missing_are_sweeps_of_their_own(save_dicom, volume, tmp_path):
    for number in range(2):
        save_dicom(
            f"case/{number}",
            volume[number * 3 :][:3],
            SeriesInstanceUID="1.2",
            InstanceNumber=number,
            NumberOfFrames=None,
        )

    assert read_sweep(tmp_path / "case").bounds == ((0, 3), (3, 6))


def test_white_that_is_0_in_several_depths_is_not_mixed(save_dicom, volume, tmp_path):
    for bits in (10, 12):
        save_dicom(
            f"case/{bits}",
            volume.astype(np.uint16),
            BitsStored=bits,
            HighBit=bits - 1,
            PhotometricInterpretation="MONOCHROME1",
        )

    with pytest.raises(SweepError, match="one depth"):
        read_sweep(tmp_path / "case")
