import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.frames.grey import to_grey_frames
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.io.frames.raw_frames import RawFrames
from napari_fetal_iqa.sweep import SweepVolume


def write_by_itk(path: Path, array: np.ndarray, compress: bool = False, **settings) -> Path:
    image = SimpleITK.GetImageFromArray(array, **settings)
    image.SetSpacing((0.3, 0.2, 1.0)[: image.GetDimension()])
    SimpleITK.WriteImage(image, str(path), compress)
    return path


def change_header(path: Path, old: str, new: str) -> Path:
    data = path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode(), 1))
    return path


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".MHA"])
@pytest.mark.parametrize("compress", [False, True])
def test_reads_what_itk_writes(tmp_path, volume, ending, compress):
    sweep = read_sweep(write_by_itk(tmp_path / f"case{ending.lower()}", volume, compress))

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == (0.2, 0.3)
    assert sweep.name == "case"
    assert sweep.source_format == f"MetaImage, {'zlib' if compress else 'raw'}"


def test_identity_is_that_of_the_pixels_whatever_the_compression(tmp_path, volume):
    raw = read_sweep(write_by_itk(tmp_path / "a.mha", volume))
    compressed = read_sweep(write_by_itk(tmp_path / "b.mha", volume, compress=True))

    assert raw.identity == compressed.identity == SweepVolume(volume).identity


def test_raw_frames_are_read_as_they_are_looked_at(tmp_path, volume):
    frames = read_sweep(write_by_itk(tmp_path / "a.mha", volume)).frames

    assert isinstance(frames, RawFrames)
    with pytest.raises(ValueError, match="read-only"):
        frames[0][:] = 0


def test_the_first_frame_is_there_before_the_rest_is_inflated(tmp_path):
    volume = np.random.default_rng(0).integers(0, 256, (40, 400, 400), np.uint8)
    frames = read_sweep(write_by_itk(tmp_path / "a.mha", volume, compress=True)).frames

    assert np.array_equal(frames[0], volume[0])
    assert isinstance(frames, InflatingFrames)
    assert frames.inflated_frames < 10


def test_the_real_sweep_is_that_which_itk_reads(real_data):
    path = real_data / "fetal_head_sweep.mha"

    sweep = read_sweep(path)

    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(sweep.frames, SimpleITK.GetArrayViewFromImage(image))
    assert sweep.spacing_mm == pytest.approx((0.501, 0.5013))
    assert len(sweep.bounds) == 1


@pytest.mark.parametrize(
    ("sizes", "kinds"),
    [
        ("32 24 1 7", ""),
        ("32 24 7 1", ""),
        ("1 32 24 7", ""),
        ("32 24 1 7 1 1", ""),
        ("32 24 1 7", "domain domain domain list"),
        ("32 24 7 1", "domain domain domain list"),
    ],
)
def test_axes_of_length_one_are_passed_over(tmp_path, volume, sizes, kinds):
    path = write_by_itk(tmp_path / "a.mha", volume)
    steps = " ".join({"32": "0.3", "24": "0.2"}.get(size, "1") for size in sizes.split())
    change_header(path, "DimSize = 32 24 7", f"DimSize = {sizes}")
    change_header(path, "NDims = 3", f"NDims = {len(sizes.split())}")
    change_header(path, "ElementSpacing", f"ElementSpacing = {steps}\nIgnored")
    if kinds:
        change_header(path, "NDims", f"Kinds = {kinds}\nNDims")

    sweep = read_sweep(path)

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == (0.2, 0.3)


SHORT_AXES = {
    "one column": ("1 32 24", ""),
    "one row": ("32 1 24", ""),
    "three columns": ("3 32 24", ""),
    "four columns": ("4 32 24", ""),
    "three columns named as space": ("3 32 24", "Kinds = domain domain domain"),
    "three columns and frames": ("3 32 1 24", ""),
    "three of no kind": ("3 32 24", "Kinds = ??? domain domain"),
    "a single column of colours": ("1 32 24", "ElementNumberOfChannels = 3"),
}


@pytest.mark.parametrize(("sizes", "field"), SHORT_AXES.values(), ids=SHORT_AXES.keys())
def test_axes_too_short_to_be_told_are_refused(tmp_path, volume, sizes, field):
    path = write_by_itk(tmp_path / "a.mha", volume)
    change_header(path, "DimSize = 32 24 7", f"DimSize = {sizes}")
    change_header(path, "NDims = 3", f"{field or 'Comment = none'}\nNDims = {len(sizes.split())}")

    with pytest.raises(SweepError, match=r"^a\.mha: expected .* axis of \d that may be .*; save"):
        read_sweep(path)


def test_a_trailing_axis_of_one_is_one_frame(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mha", volume[:1])

    assert np.array_equal(read_sweep(path).frames, volume[:1])


@pytest.mark.parametrize("kind", ["list", "time", "???", "none", "unknown"])
def test_an_axis_beside_two_of_space_is_the_frames(tmp_path, volume, kind):
    path = write_by_itk(tmp_path / "a.mha", np.ascontiguousarray(volume.transpose(1, 2, 0)))
    change_header(path, "NDims", f"Kinds = {kind} domain domain\nNDims")
    change_header(path, "ElementSpacing", "ElementSpacing = 1 0.3 0.2\nIgnored")

    sweep = read_sweep(path)

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == (0.2, 0.3)


METAIO_TYPES = [
    f"MET_{name}{ending}"
    for name in (
        *("CHAR", "UCHAR", "SHORT", "USHORT", "INT", "UINT", "LONG", "ULONG"),
        *("LONG_LONG", "ULONG_LONG", "FLOAT", "DOUBLE"),
    )
    for ending in ("", "_ARRAY")
]


@pytest.mark.parametrize("name", [*METAIO_TYPES, "MET_ASCII_CHAR", "MET_FLOAT_MATRIX"])
def test_every_type_of_metaio_is_what_itk_reads(tmp_path, name):
    path = tmp_path / "a.mha"
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "DimSize = 5 3 2",
        f"ElementType = {name}",
        "ElementDataFile = LOCAL\n",
    ]
    size = 8  # of the largest
    data = np.random.default_rng(0).integers(0, 60, 30 * size, np.uint8).tobytes()
    path.write_bytes("\n".join(lines).encode() + data)

    frames = read_sweep(path).frames

    oracle = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    assert np.array_equal(frames, to_grey_frames(oracle))


def test_a_picture_is_a_sweep_of_one_frame(tmp_path, volume):
    assert np.array_equal(
        read_sweep(write_by_itk(tmp_path / "a.mha", volume[0])).frames, volume[:1]
    )


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint64, np.float32])
def test_other_number_types_become_grey(tmp_path, volume, dtype, compress):
    values = (volume // 2).astype(dtype)

    sweep = read_sweep(write_by_itk(tmp_path / "a.mha", values, compress))

    expected = volume // 2 if dtype != np.float32 else np.rint((volume // 2) * (255 / 127))
    assert np.array_equal(sweep.frames, expected)


@pytest.mark.parametrize("compress", [False, True])
def test_colour_becomes_grey(tmp_path, volume, compress):
    colour = np.repeat(volume[..., np.newaxis], 3, axis=-1)

    path = write_by_itk(tmp_path / "a.mha", colour, compress, isVector=True)

    assert np.array_equal(read_sweep(path).frames, volume)


def test_big_endian_data_is_read(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mhd", volume.astype(np.uint16))
    raw = tmp_path / "a.raw"
    raw.write_bytes(np.fromfile(raw, "<u2").astype(">u2").tobytes())

    change_header(path, "ByteOrderMSB = False", "ByteOrderMSB = True")

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("header_size", [b"17", b"-1"])
def test_bytes_before_the_data_are_passed_over(tmp_path, volume, header_size):
    path = write_by_itk(tmp_path / "a.mhd", volume)
    raw = tmp_path / "a.raw"
    raw.write_bytes(b"x" * 17 + raw.read_bytes())

    change_header(path, "ElementDataFile", f"HeaderSize = {header_size.decode()}\nElementDataFile")

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("header_size", [-1, 400])
def test_bytes_between_a_header_and_its_pixels_are_passed_over(tmp_path, volume, header_size):
    """Counted from the beginning of the file, or to its end: as ITK reads them."""
    path = write_by_itk(tmp_path / "a.mha", volume)
    change_header(path, "ElementDataFile", f"HeaderSize = {header_size}\nElementDataFile")
    data = path.read_bytes()
    header, pixels = data[: -volume.size], data[-volume.size :]
    assert len(header) < 400
    path.write_bytes(header + b"\xff" * (400 - len(header)) + pixels)

    frames = read_sweep(path).frames

    assert np.array_equal(frames, volume)
    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(frames, SimpleITK.GetArrayViewFromImage(image))


def test_pixels_that_would_begin_within_their_header_are_refused(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mha", volume)
    change_header(path, "ElementDataFile", "HeaderSize = 17\nElementDataFile")

    with pytest.raises(SweepError, match=r"^a\.mha: expected HeaderSize to be \d+ or more"):
        read_sweep(path)


def test_compressed_data_needs_no_stated_size(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mha", volume, compress=True)
    size = len(zlib.compress(volume.tobytes(), 2))

    lines = path.read_bytes().split(b"\n", 6)
    kept = [line for line in lines if not line.startswith(b"CompressedDataSize")]
    path.write_bytes(b"\n".join(kept))

    assert len(kept) == len(lines) - 1
    assert size > 0
    assert np.array_equal(read_sweep(path).frames, volume)


def test_windows_line_ends_are_read(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mhd", volume)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("spacing", ["", "ElementSpacing = a b c", "ElementSpacing = 0 1 1"])
def test_spacing_that_is_not_there_or_makes_no_sense_is_none(tmp_path, volume, spacing):
    path = tmp_path / "a.mhd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume), str(path))

    change_header(path, "ElementSpacing = 1 1 1", spacing or "Comment = none")

    assert read_sweep(path).spacing_mm is None


NAMES = {
    "accents": ("Größe.raw", "Größe.raw".encode()),
    "accents of an old Windows": ("Größe.raw", "Größe.raw".encode("latin-1")),
    "accents of a Mac": (unicodedata.normalize("NFD", "Größe.raw"), "Größe.raw".encode()),
    "accents from a Mac": ("Größe.raw", unicodedata.normalize("NFD", "Größe.raw").encode()),
    "another script": ("腹部.raw", "腹部.raw".encode()),
    "a folder of Windows": ("data/scan.raw", rb"data\scan.raw"),
    "a backslash": ("a\\b.raw", rb"a\b.raw"),
    "a list in its name": ("list of frames.raw", b"list of frames.raw"),
    "a list in capitals": ("LISTE.raw", b"LISTE.raw"),
    "a list and spaces": ("LIST of 3.raw", b"LIST of 3.raw"),
    "a percent sign": ("50%.raw", b"50%.raw"),
}


@pytest.mark.parametrize(("name", "written"), NAMES.values(), ids=NAMES.keys())
def test_the_data_file_is_found_however_its_name_is_written(tmp_path, volume, name, written):
    path = write_by_itk(tmp_path / "a.mhd", volume)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "a.raw").rename(tmp_path / name)
    path.write_bytes(path.read_bytes().replace(b"a.raw", written))

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("written", [rb"..\secret.raw", b"../secret.raw", rb"C:\data\secret.raw"])
def test_no_spelling_leads_out_of_the_folder(tmp_path, volume, written):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = write_by_itk(folder / "a.mhd", volume)
    (folder / "a.raw").rename(tmp_path / "secret.raw")
    path.write_bytes(path.read_bytes().replace(b"a.raw", written))

    with pytest.raises(SweepError, match=r"expected .*; (put|copy) both"):
        read_sweep(path)


FIELDS = ["NDims", "DimSize", "ElementType", "BinaryData", "CompressedData", "ElementDataFile"]


@pytest.mark.parametrize("field", [*FIELDS, "ElementNumberOfChannels", "HeaderSize"])
def test_no_text_of_a_header_is_quoted(tmp_path, volume, field):
    path = write_by_itk(tmp_path / "a.mhd", volume)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{field} ")]
    path.write_text("\n".join([f"{field} = Doe^Jane 19900101", *lines]) + "\n")

    with pytest.raises(SweepError) as caught:
        read_sweep(path)

    assert "Doe" not in str(caught.value)
    assert "1990" not in str(caught.value)


BROKEN_HEADERS = {
    "10^12 voxels": ("DimSize = 32 24 7", "DimSize = 10000 10000 10000"),
    "more voxels than 64 bits": ("DimSize = 32 24 7", "DimSize = 99999999999 9999999999 9999999"),
    "negative size": ("DimSize = 32 24 7", "DimSize = 32 -24 7"),
    "no size": ("DimSize = 32 24 7", "DimSize ="),
    "not a number": ("DimSize = 32 24 7", "DimSize = 32 24 seven"),
    "zero": ("DimSize = 32 24 7", "DimSize = 32 24 0"),
    "four dimensions": ("NDims = 3", "NDims = 4"),
    "four dimensions of more than one": ("DimSize = 32 24 7", "NDims = 4\nDimSize = 16 2 24 7"),
    "kinds of another number": ("NDims = 3", "NDims = 3\nKinds = domain domain"),
    "kinds of no picture": ("NDims = 3", "NDims = 3\nKinds = domain domain quaternion"),
    "no dimensions": ("NDims = 3", "NDims = x"),
    "unknown type": ("MET_UCHAR", "MET_STRING"),
    "no type": ("ElementType = MET_UCHAR", "Comment = none"),
    "not an image": ("ObjectType = Image", "ObjectType = Tube"),
    "text pixels": ("BinaryData = True", "BinaryData = False"),
    "neither true nor false": ("CompressedData = False", "CompressedData = Perhaps"),
    "data elsewhere": ("a.raw", "../a.raw"),
    "data at an absolute path": ("a.raw", "/etc/hostname"),
    "data missing": ("a.raw", "b.raw"),
    "data list": ("a.raw", "LIST"),
    "data pattern": ("a.raw", "a%03d.raw 1 7 1"),
    "data name too long": ("a.raw", "a" * 5000),
    "data name with a null byte": ("a.raw", "a\0.raw"),
    "no data name": ("a.raw", ""),
    "too many bytes before the data": ("ElementDataFile", "HeaderSize = 17\nElementDataFile"),
    "a line without a field": ("NDims", "what is this\nNDims"),
    "header without an end": ("ElementDataFile", "SomethingElse"),
}


@pytest.mark.parametrize("change", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS.keys())
def test_a_broken_header_gets_one_line_that_names_the_file(tmp_path, volume, change):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = change_header(write_by_itk(folder / "a.mhd", volume), *change)
    (tmp_path / "a.raw").write_bytes(volume.tobytes())

    with pytest.raises(SweepError) as caught:
        read_sweep(path)

    line = str(caught.value)
    assert line.startswith(("a.mhd: expected", "a.raw: expected"))
    assert "found" in line
    assert ";" in line
    assert "\n" not in line
    assert len(line) < 300


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path, volume, compress):
    path = write_by_itk(tmp_path / "a.mha", volume, compress)
    data = path.read_bytes()

    for length in [*range(1, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(SweepError, match=r"a\.mha: expected"):
            read_sweep(path)


def test_compressed_data_that_cannot_hold_the_volume_is_refused_at_once(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mha", volume, compress=True)

    change_header(path, "DimSize = 32 24 7", "DimSize = 32000 24000 7")

    with pytest.raises(SweepError, match="can hold"):
        read_sweep(path)


def test_notes_of_other_programs_are_passed_over_and_not_kept(
    tmp_path, volume, check_that_no_name_is_kept
):
    image = SimpleITK.GetImageFromArray(volume)
    notes = {"0010|0010": "Doe^Jane", "0008|0060": "US", "a note": "here"}
    notes |= {f"Seq_Frame{frame:04}_ImageStatus": "0.28 " * 30 for frame in range(840)}
    for key, value in notes.items():
        image.SetMetaData(key, value)
    path = tmp_path / "a.mha"
    SimpleITK.WriteImage(image, str(path))
    assert b"0010|0010 = Doe^Jane" in path.read_bytes()
    assert path.read_bytes().index(b"ElementDataFile") > 1 << 16

    check_that_no_name_is_kept(path, volume)


@pytest.mark.parametrize("key", ["", "\0\1", "a\x7fb"])
def test_a_line_without_a_key_ends_the_search_for_the_header(tmp_path, volume, key):
    path = write_by_itk(tmp_path / "a.mha", volume)
    path.write_bytes(f"{key} = 1\n".encode() + path.read_bytes())

    with pytest.raises(SweepError, match="something else in line 1"):
        read_sweep(path)


def test_frames_that_are_stored_as_channels_are_not_taken_for_colours(tmp_path):
    frames = np.zeros((1, 24, 32, 140), np.uint8)
    path = write_by_itk(tmp_path / "a.mha", frames, isVector=True)

    with pytest.raises(SweepError, match=r"a\.mha: expected .* 4 channels, found 140; save"):
        read_sweep(path)


def test_pixels_at_the_end_of_a_compressed_file_are_refused(tmp_path, volume):
    path = write_by_itk(tmp_path / "a.mhd", volume, compress=True)
    change_header(path, "ElementDataFile", "HeaderSize = -1\nElementDataFile")

    with pytest.raises(SweepError, match=r"a\.mhd: expected HeaderSize to be 0 or more"):
        read_sweep(path)
