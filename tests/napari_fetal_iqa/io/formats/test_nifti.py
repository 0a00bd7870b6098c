import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import describe, read_sweep

ENDINGS = [".nii", ".nii.gz"]


def write_by_itk(path: Path, array: np.ndarray, **settings) -> Path:
    image = SimpleITK.GetImageFromArray(array, **settings)
    image.SetSpacing((0.3, 0.2, 1.0, 1.0)[: image.GetDimension()])
    SimpleITK.WriteImage(image, str(path))
    return path


def patch(path: Path, offset: int, layout: str, *values: float) -> Path:
    """Overwrite fields of the header."""
    packed = path.suffix == ".gz"
    data = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    struct.pack_into("<" + layout, data, offset, *values)
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def write_nifti2(path: Path, volume: np.ndarray, order: str) -> Path:
    """Write a NIfTI-2 file by the offsets of nifti2.h."""
    header = bytearray(544)
    struct.pack_into(f"{order}i8s", header, 0, 540, b"n+2\0\r\n\x1a\n")
    struct.pack_into(f"{order}hh8q", header, 12, 4, 16, 3, *volume.shape[::-1], 1, 1, 1, 1)
    struct.pack_into(f"{order}8d", header, 104, 1, 0.0003, 0.0002, 1, 1, 1, 1, 1)
    struct.pack_into(f"{order}q2d", header, 168, 544, 0, 0)
    struct.pack_into(f"{order}i", header, 500, 1)  # metres
    path.write_bytes(header + volume.astype(f"{order}i2").tobytes())
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_reads_what_itk_writes(tmp_path, volume, ending):
    sweep = read_sweep(write_by_itk(tmp_path / f"case{ending}", volume))

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == (0.2, 0.3)
    assert sweep.name == "case"
    assert sweep.source_format == ("NIfTI, raw" if ending == ".nii" else "NIfTI, gzip")


def test_raw_frames_are_mapped_and_not_copied(tmp_path, volume):
    assert isinstance(read_sweep(write_by_itk(tmp_path / "a.nii", volume)).frames, np.memmap)


@pytest.mark.parametrize("ending", [".NII", ".NII.GZ"])
def test_an_ending_in_capitals_is_no_part_of_the_name(tmp_path, volume, ending):
    path = write_by_itk(tmp_path / f"a{ending.lower()}", volume).rename(tmp_path / f"X{ending}")

    assert read_sweep(path).name == "X"


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_description_is_not_kept(tmp_path, volume, ending):
    path = patch(write_by_itk(tmp_path / f"a{ending}", volume), 148, "8s", b"Doe^Jane")

    sweep = read_sweep(path)
    texts = [repr(vars(sweep)), str(describe(sweep))]
    patch(path, 70, "h", 1)
    with pytest.raises(SweepError) as caught:
        read_sweep(path)

    assert "Doe" not in "".join([*texts, str(caught.value)])


@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_nifti_2_in_either_byte_order_and_in_metres(tmp_path, volume, order):
    sweep = read_sweep(write_nifti2(tmp_path / "a.nii", volume, order))

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.int8])
def test_other_number_types_become_grey(tmp_path, volume, dtype, ending):
    values = (volume // 2).astype(dtype)

    sweep = read_sweep(write_by_itk(tmp_path / f"a{ending}", values))

    assert np.array_equal(sweep.frames, volume // 2)


def test_colour_becomes_grey(tmp_path, volume):
    colour = np.repeat(volume, 3, axis=-1)  # RGB, pixel by pixel
    path = write_by_itk(tmp_path / "a.nii", colour)
    patch(path, 42, "h", 32)
    patch(path, 70, "2h", 128, 24)  # datatype RGB24

    assert np.array_equal(read_sweep(path).frames, volume)


def test_a_cine_along_the_fourth_axis_is_read(tmp_path, volume):
    sweep = read_sweep(write_by_itk(tmp_path / "a.nii", volume[:, np.newaxis], isVector=False))

    assert np.array_equal(sweep.frames, volume)


def test_a_picture_is_a_sweep_of_one_frame(tmp_path, volume):
    assert read_sweep(write_by_itk(tmp_path / "a.nii", volume[0])).shape == (1, 24, 32)


@pytest.mark.parametrize("ending", ENDINGS)
def test_slope_and_intercept_are_applied(tmp_path, volume, ending):
    path = patch(write_by_itk(tmp_path / f"a{ending}", volume), 112, "2f", 2.0, -10.0)

    expected = np.rint((volume * 2.0) / 510 * 255)
    assert np.array_equal(read_sweep(path).frames, expected)


@pytest.mark.parametrize("slope", [0.0, float("nan"), float("inf")])
def test_a_slope_that_means_nothing_is_passed_over(tmp_path, volume, slope):
    path = patch(write_by_itk(tmp_path / "a.nii", volume), 112, "2f", slope, 0.0)

    assert np.array_equal(read_sweep(path).frames, volume)


def test_spacing_in_an_unknown_unit_is_none(tmp_path, volume):
    path = patch(write_by_itk(tmp_path / "a.nii", volume), 123, "B", 7)

    assert read_sweep(path).spacing_mm is None


BROKEN_HEADERS = {
    "header and image apart": (344, "4s", b"ni1\0"),
    "other magic": (344, "4s", b"what"),
    "other size of header": (0, "i", 349),
    "5*10^12 voxels": (40, "8h", 3, 32000, 32000, 5000, 1, 1, 1, 1),
    "negative size": (42, "h", -32),
    "negative number of dimensions": (40, "h", -3),
    "eight dimensions": (40, "h", 8),
    "one dimension": (40, "h", 1),
    "two axes of frames": (40, "8h", 4, 32, 24, 7, 3, 1, 1, 1),
    "complex pixels": (70, "h", 32),
    "data beyond the file": (108, "f", 1e8),
    "data before the file": (108, "f", -1.0),
    "data nowhere": (108, "f", float("nan")),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("field", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS.keys())
def test_a_broken_header_gets_one_line_that_names_the_file(tmp_path, volume, field, ending):
    path = patch(write_by_itk(tmp_path / f"a{ending}", volume), *field)

    with pytest.raises(SweepError, match=r"^a\.nii(\.gz)?: [^\n]*; [^\n]*$"):
        read_sweep(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_cut_anywhere_is_refused(tmp_path, volume, ending):
    path = write_by_itk(tmp_path / f"a{ending}", volume)
    data = path.read_bytes()

    for length in [*range(1, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(SweepError, match=r"a\.nii"):
            np.asarray(read_sweep(path).frames)


def test_gzip_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"\x1f\x8b what")

    with pytest.raises(SweepError, match="NIfTI"):
        read_sweep(path)
