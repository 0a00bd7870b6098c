import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import describe, read_sweep
from napari_fetal_iqa.io.frames.grey import to_grey_frames
from napari_fetal_iqa.io.frames.raw_frames import RawFrames

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


def test_raw_frames_are_read_as_they_are_looked_at(tmp_path, volume):
    assert isinstance(read_sweep(write_by_itk(tmp_path / "a.nii", volume)).frames, RawFrames)


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


IMAGES = [nibabel.Nifti1Image, nibabel.Nifti2Image]
UNITS_MM = {"unknown": 1.0, "meter": 1000.0, "mm": 1.0, "micron": 0.001}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", IMAGES)
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]),
    shape=st.tuples(st.integers(5, 9), st.integers(2, 9), st.integers(1, 9)),
    zooms_mm=st.tuples(*[st.floats(0.01, 10)] * 2),
    unit=st.sampled_from(list(UNITS_MM)),
    scale=st.sampled_from([None, (2.0, -10.0), (0.5, 3.0)]),
    extension=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_reads_what_nibabel_reads(
    tmp_path, kind, ending, order, dtype, shape, zooms_mm, unit, scale, extension, seed
):
    path = tmp_path / f"a{ending}"
    values = np.random.default_rng(seed).integers(0, 128, shape).astype(dtype)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(dtype)
    zooms = [zoom / UNITS_MM[unit] for zoom in zooms_mm]
    written = kind(values, np.diag([*zooms, 1, 1]), header)
    written.header.set_xyzt_units(unit, "sec")
    if scale is not None:
        written.header.set_slope_inter(*scale)
    if extension:
        written.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 100))
    written.to_filename(path)

    sweep = read_sweep(path)

    oracle = kind.from_filename(path)
    assert oracle.header.endianness == order
    assert oracle.dataobj.offset > header.single_vox_offset or not extension
    assert np.array_equal(sweep.frames, to_grey_frames(np.asarray(oracle.dataobj).T))
    row_mm, column_mm = (UNITS_MM[unit] * zoom for zoom in oracle.header.get_zooms()[1::-1])
    assert sweep.spacing_mm == pytest.approx((row_mm, column_mm), rel=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", IMAGES)
def test_a_cine_that_nibabel_writes_along_the_fourth_axis_is_read(tmp_path, volume, kind, order):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.uint8)
    kind(volume.T[:, :, np.newaxis], np.eye(4), header).to_filename(tmp_path / "a.nii.gz")

    assert np.array_equal(read_sweep(tmp_path / "a.nii.gz").frames, volume)


def test_nifti_2_that_went_through_a_change_of_line_ends_is_refused(tmp_path, volume):
    path = patch(write_nifti2(tmp_path / "a.nii", volume, "<"), 8, "4s", b"\n\n\x1a\n")

    with pytest.raises(SweepError, match=r"^a\.nii: NIfTI header is damaged; copy the file again$"):
        read_sweep(path)


@pytest.mark.parametrize("step_mm", [0.0, -0.2, float("nan")])
def test_a_spacing_that_is_none_is_not_mended(tmp_path, volume, step_mm):
    path = patch(write_by_itk(tmp_path / "a.nii", volume), 80, "f", step_mm)

    assert read_sweep(path).spacing_mm is None


def test_what_nibabel_warns_of_is_read_without_a_word(tmp_path, volume, caplog):
    """A sform of no known code, a factor of the q-form that is neither 1 nor -1."""
    path = patch(write_by_itk(tmp_path / "a.nii", volume), 254, "h", 99)
    patch(path, 76, "f", 5.0)

    assert np.array_equal(read_sweep(path).frames, volume)
    assert not caplog.records


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


@pytest.mark.parametrize("shape", [(1, 32, 24), (32, 1, 24), (3, 32, 24), (4, 32, 24), (2, 32, 24)])
def test_axes_too_short_to_be_told_are_refused(tmp_path, shape):
    nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)).to_filename(tmp_path / "a.nii")

    with pytest.raises(SweepError, match=r"^a\.nii: expected .* axis of \d that may be .*; choose"):
        read_sweep(tmp_path / "a.nii")


@pytest.mark.parametrize("shape", [(1, 32, 24, 7), (32, 1, 24, 7)])
def test_a_cine_of_a_plane_across_is_read(tmp_path, volume, shape):
    image = nibabel.Nifti1Image(volume.T.reshape(shape), np.eye(4))
    image.to_filename(tmp_path / "a.nii")

    assert np.array_equal(read_sweep(tmp_path / "a.nii").frames, volume)


STEPS = (0.11, 0.13, 0.17, 0.19, 0.23)
"""A step for each axis, which tell them apart."""


@pytest.mark.parametrize("by_sform", [False, True], ids=["pixdim", "s-form"])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 32, 24, 7),
        (32, 1, 24, 7),
        (32, 24, 1, 7),
        (32, 24, 7, 1),
        (1, 1, 32, 24, 7),
        (1, 32, 1, 24, 7),
        (32, 1, 1, 24, 7),
    ],
)
def test_the_spacing_is_that_of_the_axes_that_are_read(tmp_path, volume, shape, by_sform):
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(volume.T.reshape(shape), None)
    image.header.set_zooms((1,) * len(shape) if by_sform else STEPS[: len(shape)])
    image.header.set_sform(np.diag([*STEPS[:3], 1]), 1 if by_sform else 0)
    image.to_filename(path)

    sweep = read_sweep(path)

    columns, rows = (shape.index(length) for length in (32, 24))
    assert np.array_equal(sweep.frames, volume)
    if not by_sform:
        steps = SimpleITK.ReadImage(str(path)).GetSpacing()
        assert sweep.spacing_mm == pytest.approx((steps[rows], steps[columns]))
    elif rows < 3:
        assert sweep.spacing_mm == pytest.approx((STEPS[rows], STEPS[columns]))
        assert "that of its s-form" in sweep.spacing_note
    else:  # an s-form has three axes
        assert sweep.spacing_mm == (1, 1)
        assert "placeholder" in sweep.spacing_note


def test_a_cine_along_the_fourth_axis_is_read(tmp_path, volume):
    sweep = read_sweep(write_by_itk(tmp_path / "a.nii", volume[:, np.newaxis], isVector=False))

    assert np.array_equal(sweep.frames, volume)


VECTOR, RGB_VECTOR, RGBA_VECTOR = 1007, 2003, 2004


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("intent", "channels"), [(VECTOR, 3), (VECTOR, 4), (RGB_VECTOR, 3), (RGBA_VECTOR, 4)]
)
@pytest.mark.parametrize("frames_axis", [2, 3])
@pytest.mark.parametrize("frames", [1, 7])
def test_a_fifth_axis_is_the_colour_where_the_intent_says_so(
    tmp_path, volume, intent, channels, frames, frames_axis, ending
):
    colour = np.stack([volume[:frames]] * channels, axis=-1)
    if channels == 4:
        colour[..., 3] = 77  # alpha
    data = colour.transpose(2, 1, 0, 3)
    shape = (32, 24, frames, 1, channels) if frames_axis == 2 else (32, 24, 1, frames, channels)
    image = nibabel.Nifti1Image(data.reshape(shape), np.diag([0.3, 0.2, 1, 1]))
    image.header.set_intent(intent, allow_unknown=True)
    image.to_filename(tmp_path / f"a{ending}")

    sweep = read_sweep(tmp_path / f"a{ending}")

    assert np.array_equal(sweep.frames, volume[:frames])
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("intent", [VECTOR, RGB_VECTOR, RGBA_VECTOR])
@pytest.mark.parametrize("shape", [(32, 24, 3), (32, 24, 1, 3), (32, 24, 4), (32, 24, 1, 4)])
def test_a_colour_elsewhere_than_on_the_fifth_axis_is_never_frames(tmp_path, intent, shape):
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4))
    image.header.set_intent(intent, allow_unknown=True)
    image.to_filename(tmp_path / "a.nii")

    with pytest.raises(SweepError, match=r"^a\.nii: expected .*, found \d frames or colours, els"):
        read_sweep(tmp_path / "a.nii")


def test_the_colour_that_itk_writes_is_read(tmp_path, volume):
    colour = np.stack([volume] * 3, axis=-1)

    sweep = read_sweep(write_by_itk(tmp_path / "a.nii.gz", colour, isVector=True))

    assert np.array_equal(sweep.frames, volume)


SFORMS = {
    "the scanner's": (0.3, 0.2, 1, (0.2, 0.3), "that of its s-form"),
    "a template's": (0.3, 0.2, 4, (0.2, 0.3), "that of its s-form"),
    "none": (0.3, 0.2, 0, (1, 1), "placeholder in many"),
    "a placeholder": (1, 1, 2, (1, 1), "placeholder in many"),
}


@pytest.mark.parametrize(("x", "y", "code", "mm", "note"), SFORMS.values(), ids=SFORMS.keys())
def test_a_placeholder_in_pixdim_yields_to_the_s_form(tmp_path, volume, x, y, code, mm, note):
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([x, y, 5])
    image = nibabel.Nifti1Image(volume.T, None)
    image.header.set_sform(affine, code)
    image.to_filename(tmp_path / "a.nii")

    sweep = read_sweep(tmp_path / "a.nii")

    assert sweep.spacing_mm == pytest.approx(mm)
    assert note in sweep.spacing_note


@pytest.mark.parametrize(
    ("code", "scale", "known"), [(1, 1, True), (1, 2, False), (4, 2, True), (1, 1.005, True)]
)
def test_pixdim_stands_unless_the_scanner_contradicts_it(tmp_path, volume, code, scale, known):
    image = nibabel.Nifti1Image(volume.T, None)
    image.header.set_zooms((0.3, 0.2, 1))
    image.header.set_sform(np.diag([0.3 * scale, 0.2 * scale, 1, 1]), code)
    image.to_filename(tmp_path / "a.nii")

    sweep = read_sweep(tmp_path / "a.nii")

    assert sweep.spacing_mm == (pytest.approx((0.2, 0.3)) if known else None)
    assert ("contradict" in sweep.spacing_note) == (not known)


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
    "three values of a pixel": (40, "8h", 5, 32, 24, 2, 1, 3, 1, 1),
    "two values of a pixel": (40, "8h", 5, 32, 24, 3, 1, 2, 1, 1),
    "four values of a pixel": (40, "8h", 5, 32, 24, 1, 1, 4, 1, 1),
    "complex pixels": (70, "h", 32),
    "data beyond the file": (108, "f", 1e8),
    "data within the header": (108, "f", 128.0),
    "data before the file": (108, "f", -1.0),
    "data at the start of the file": (108, "f", 0.0),
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
