import bz2
import contextlib
import gzip
import re
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.frames.raw_frames import RawFrames


def write_by_itk(path: Path, array: np.ndarray, compress: bool = False, **settings) -> Path:
    image = SimpleITK.GetImageFromArray(array, **settings)
    image.SetSpacing((0.3, 0.2, 1.0)[: image.GetDimension()])
    SimpleITK.WriteImage(image, str(path), compress)
    return path


def write_by_hand(path: Path, data: bytes, **fields: str) -> Path:
    """Write the header of a (7, 24, 32) uint8 volume, with fields changed or added."""
    known = {"type": "uchar", "dimension": "3", "sizes": "32 24 7", "encoding": "raw"} | {
        key.replace("_", " "): value for key, value in fields.items()
    }
    lines = ["NRRD0004", "# made by hand", *(f"{k}: {v}" for k, v in known.items() if v)]
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + data)
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_reads_what_itk_writes(tmp_path, volume, compress):
    sweep = read_sweep(write_by_itk(tmp_path / "case.nrrd", volume, compress))

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3))
    assert sweep.name == "case"
    assert sweep.source_format == f"NRRD, {'gzip' if compress else 'raw'}"


@pytest.mark.parametrize("compress", [False, True])
def test_reads_a_header_with_its_data_file(tmp_path, volume, compress):
    sweep = read_sweep(write_by_itk(tmp_path / "case.nhdr", volume, compress))

    assert np.array_equal(sweep.frames, volume)


def test_colour_becomes_grey(tmp_path, volume):
    colour = np.repeat(volume[..., np.newaxis], 3, axis=-1)

    sweep = read_sweep(write_by_itk(tmp_path / "a.nrrd", colour, isVector=True))

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3))


def test_raw_frames_are_read_as_they_are_looked_at(tmp_path, volume):
    assert isinstance(read_sweep(write_by_itk(tmp_path / "a.nrrd", volume)).frames, RawFrames)


def test_a_long_header_of_notes_is_read_and_not_kept(tmp_path, volume, check_that_no_name_is_kept):
    path = write_by_itk(tmp_path / "a.nrrd", volume)
    notes = ["0010|0010:=Doe^Jane", *(f"Seq_{n:04}:={'0.28 ' * 30}" for n in range(840))]
    magic, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(b"\n".join([magic, *(note.encode() for note in notes), rest]))
    assert path.read_bytes().index(b"\n\n") > 1 << 16

    check_that_no_name_is_kept(path, volume)


RAS_AND_TIME = {
    "space": "right-anterior-superior-time",
    "space_directions": "(0,0,0,0.05) (0.3,0,0,0) (0,0.2,0,0)",
}

AXES = {
    "plain": (None, "XYT", {}),
    "frames first, as a list": ("list domain domain", "TXY", {}),
    "frames first, as time": ("time domain domain", "TXY", {}),
    "frames second": ("domain list domain", "XTY", {}),
    "Slicer's sequence": ("list domain domain domain", "TXY1", {}),
    "time by its unit": ("domain domain domain", "TXY", {"units": '"ms" "mm" "mm"'}),
    "time by its unit alone": (None, "TXY", {"units": '"s" "mm" "mm"'}),
    "no direction": (None, "TXY", {"space_directions": "none (0.3,0,0) (0,0.2,0)"}),
    "frames by their unit": (None, "TXY", {"units": '"frame" "mm" "mm"'}),
    "frames by their label": (None, "TXY", {"labels": '"frame" "x" "y"'}),
    "time by its label": ("domain domain domain", "XTY", {"labels": '"x" "Time" "y"'}),
    "kinds in quotes": ('"RGB-color" "space" "space" "time"', "CXYT", {}),
    "time by its direction": (None, "TXY", RAS_AND_TIME),
    "time by its direction, named as space": ("space space space", "TXY", RAS_AND_TIME),
    "time by the unit of its direction": (
        None,
        "TXY",
        {
            "space_directions": "(0,0,0,50) (0.3,0,0,0) (0,0.2,0,0)",
            "space_units": '"mm" "mm" "mm" "ms"',
        },
    ),
    "no spacing": ("??? ??? ???", "TXY", {"spacings": "nan 0.3 0.2"}),
    "colour first": ("RGB-color domain domain time", "CXYT", {}),
    "colour last": ("domain domain time RGB-color", "XYTC", {}),
    "colour between": ("domain 3-color domain list", "XCYT", {}),
    "frames, then colour": ("list vector domain domain", "TCXY", {}),
    "one channel first": ("vector domain domain domain", "1XYT", {}),
    "a scalar first": ("scalar domain domain domain", "1XYT", {}),
    "one channel without a word": (None, "1XYT", {}),
    "an axis of one third": (None, "XY1T", {}),
    "an axis of one last": (None, "XYT1", {}),
    "three axes of one": (None, "XY1T11", {}),
}


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize(("kinds", "stored", "fields"), AXES.values(), ids=AXES.keys())
def test_each_axis_is_what_the_header_says(tmp_path, volume, kinds, stored, fields, encoding):
    """Stored is written fastest first, as headers have it; numpy has it the other way round."""
    pixels = np.stack([volume] * 3, axis=-1) if "C" in stored else volume
    axes = ["TYXC".index(letter) for letter in stored[::-1] if letter != "1"]
    data = np.ascontiguousarray(pixels.transpose(axes)).tobytes()
    sizes = {"T": 7, "Y": 24, "X": 32, "C": 3, "1": 1}
    path = write_by_hand(
        tmp_path / "a.nrrd",
        gzip.compress(data) if encoding == "gzip" else data,
        encoding=encoding,
        dimension=str(len(stored)),
        sizes=" ".join(str(sizes[axis]) for axis in stored),
        **({"kinds": kinds} if kinds else {}),
        **fields,
    )

    assert np.array_equal(read_sweep(path).frames, volume)


ODD_UNITS = (
    *(
        "ms",
        "milliseconds",
        "millisecond",
        "microseconds",
        "\u00b5s",
        "ns",
        "sec.",
        "min",
        "minutes",
    ),
    *("h", "time", "index", "dB", "deg", "pixel", "Hz", "#", ""),
)
TOLD_APART = {
    **{f"unit {unit!r}": {"units": f'"{unit}" "mm" "mm"'} for unit in ODD_UNITS},
    **{
        f"kind {kind}": {"kinds": f"{kind} {rest}"}
        for kind in ("???", "none", "unknown")
        for rest in ("domain domain", "space space", "domain space")
    },
    **{
        f"label {label}": {"labels": f'"{label}" "x" "y"'}
        for label in ("frame number", "time (s)", "time [ms]", "index", "n", "z")
    },
    "units without quotes": {"units": "s mm mm"},
    "units in cm": {"units": '"" "cm" "cm"', "spacings": "40 0.03 0.02"},
    "units of pixels": {"units": '"" "pixel" "pixel"'},
    "units against kinds that tell nothing": {
        "units": '"index" "mm" "mm"',
        "kinds": "domain domain domain",
    },
    "centers": {"centers": "??? cell cell"},
    "spacings, named as space": {"spacings": "nan 0.3 0.2", "kinds": "domain domain domain"},
    "no direction, named as space": {
        "space_directions": "none (0.3,0) (0,0.2)",
        "kinds": "domain domain domain",
    },
    "units of directions": {
        "space_directions": "(40,0,0) (0,0.3,0) (0,0,0.2)",
        "space_units": '"ticks" "mm" "mm"',
        "kinds": "domain domain domain",
    },
}


@pytest.mark.parametrize("place", ["first", "second", "last"])
@pytest.mark.parametrize("fields", TOLD_APART.values(), ids=TOLD_APART.keys())
def test_the_axis_beside_two_of_space_holds_the_frames(tmp_path, volume, fields, place):
    stored = {"first": "TXY", "second": "XTY", "last": "XYT"}[place]
    steps = {} if "space_directions" in fields else {"spacings": "40 0.3 0.2"}
    told = {**steps, **fields, "sizes": "7 32 24"}
    words = {
        key: re.findall(r'"[^"]*"|\([^)]*\)|[^\s"]+', text)
        for key, text in told.items()
        if key != "space_units"  # these are of the space, and stay
    }
    moved = {
        key: " ".join(parts["TXY".index(letter)] for letter in stored)
        for key, parts in words.items()
    }
    data = np.ascontiguousarray(volume.transpose(["TYX".index(axis) for axis in stored[::-1]]))
    path = write_by_hand(tmp_path / "a.nrrd", data.tobytes(), **{**told, **moved})

    sweep = read_sweep(path)

    assert np.array_equal(sweep.frames, volume)
    known = '"pixel" "pixel"' not in fields.get("units", "")
    assert sweep.spacing_mm == (pytest.approx((0.2, 0.3)) if known else None)


def test_a_picture_of_one_frame_may_have_its_colour_last(tmp_path, volume):
    data = np.stack([volume[0]] * 3).tobytes()
    path = write_by_hand(
        tmp_path / "a.nrrd", data, sizes="32 24 3", kinds="domain domain RGB-color"
    )

    assert np.array_equal(read_sweep(path).frames, volume[:1])


def test_a_colour_picture_is_a_sweep_of_one_frame(tmp_path, volume):
    colour = np.repeat(volume[0, ..., np.newaxis], 3, axis=-1)

    sweep = read_sweep(write_by_itk(tmp_path / "a.nrrd", colour, isVector=True))

    assert np.array_equal(sweep.frames, volume[:1])


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.uint32])
def test_other_number_types_become_grey(tmp_path, volume, dtype):
    sweep = read_sweep(write_by_itk(tmp_path / "a.nrrd", volume.astype(dtype)))

    assert np.array_equal(sweep.frames, volume)


def test_big_endian_data_is_read(tmp_path, volume):
    path = write_by_hand(
        tmp_path / "a.nrrd", volume.astype(">u2").tobytes(), type="ushort", endian="big"
    )

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("skip", ["9", "-1"])
def test_bytes_before_raw_data_are_passed_over(tmp_path, volume, skip):
    path = write_by_hand(tmp_path / "a.nrrd", b"x" * 9 + volume.tobytes(), byte_skip=skip)

    assert np.array_equal(read_sweep(path).frames, volume)


def test_bytes_before_compressed_data_are_passed_over(tmp_path, volume):
    data = gzip.compress(b"x" * 9 + volume.tobytes())
    path = write_by_hand(tmp_path / "a.nrrd", data, byte_skip="9", encoding="gz")

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"spacings": "0.3 0.2 nan"}, (0.2, 0.3)),
        ({"space_directions": "(0.3,0,0) (0,0.2,0) (0,0,1)"}, (0.2, 0.3)),
        ({"space_directions": "(0,0.3,0) (-0.2,0,0) (0,0,1)"}, (0.2, 0.3)),
        ({"spacings": "0.03 0.02 1", "space_units": '"cm" "cm" ""'}, (0.2, 0.3)),
        ({"spacings": "0.3 0.2 1", "units": '"furlong" "mm" ""'}, None),
        ({"spacings": "0.03 0.2 40", "units": '"cm" "mm" "ms"'}, (0.2, 0.3)),
        ({"spacings": "0.03 0.02 1", "units": '"cm"'}, (0.2, 0.3)),
        (
            {"space_directions": "(0,0.03,0) (0.02,0,0) none", "space_units": '"cm" "cm" "mm"'},
            (0.2, 0.3),
        ),
        (
            {"space_directions": "(300,0,0) (0,0.02,0) none", "space_units": '"um" "cm" "mm"'},
            (0.2, 0.3),
        ),
        ({**RAS_AND_TIME, "sizes": "7 32 24"}, (0.2, 0.3)),
        ({**RAS_AND_TIME, "sizes": "7 32 24", "space": "LPST"}, (0.2, 0.3)),
        ({"space_directions": "(1,0,0) (0,1,0) none", "spacings": "0.3 0.2 1"}, (0.2, 0.3)),
        ({"spacings": "40 0.3 0.2", "kinds": "time domain domain", "sizes": "7 32 24"}, (0.2, 0.3)),
        ({"spacings": "nan nan nan"}, None),
        ({"spacings": "wide narrow deep"}, None),
        ({"space_directions": "none none none"}, None),
        ({}, None),
    ],
)
def test_spacing_comes_from_spacings_or_directions(tmp_path, volume, fields, expected):
    sweep = read_sweep(write_by_hand(tmp_path / "a.nrrd", volume.tobytes(), **fields))

    assert sweep.spacing_mm == (expected if expected is None else pytest.approx(expected))


BROKEN_HEADERS = {
    "10^12 voxels": {"sizes": "10000 10000 10000"},
    "negative size": {"sizes": "32 -24 7"},
    "too few sizes": {"sizes": "32 24"},
    "four dimensions without colour": {"dimension": "4", "sizes": "32 24 7 2"},
    "five dimensions": {"dimension": "5", "sizes": "32 24 7 1 2"},
    "seventeen dimensions": {"dimension": "17", "sizes": "32 24 7" + " 1" * 14},
    "too few kinds": {"kinds": "domain domain"},
    "two colours": {"dimension": "4", "sizes": "3 32 24 3", "kinds": "vector domain domain vector"},
    "a colour of two": {"sizes": "2 32 84", "kinds": "RGB-color domain domain"},
    "another colour space": {"sizes": "3 32 56", "kinds": "HSV-color domain domain"},
    "normals": {"sizes": "3 32 56", "kinds": "3-normal domain domain"},
    "three values first without a word": {"sizes": "3 32 56"},
    "three values first outside of space": {"sizes": "3 32 56", "spacings": "nan 0.3 0.2"},
    "three values first in space": {"sizes": "3 32 56", "kinds": "domain domain domain"},
    "three values first, then time": {"sizes": "3 32 56", "units": '"" "" "s"'},
    "one value first": {"sizes": "1 32 168"},
    "one value first in space": {"sizes": "1 32 168", "kinds": "domain domain domain"},
    "one value second": {"sizes": "32 1 168"},
    "a direction of nothing first": {"space_directions": "(0,0,0) (0.2,0,0) (0,0.3,0)"},
    "time twice": {"sizes": "7 32 24", "labels": '"t" "x" "t"'},
    "three values first of no kind": {"sizes": "3 32 56", "kinds": "??? domain domain"},
    "four values second of no unit": {"sizes": "32 4 42", "units": '"mm" "" "mm"'},
    "one axis of space": {"sizes": "7 32 24", "kinds": "??? domain ???"},
    "one axis of a length": {"units": '"mm" "" ""'},
    "an axis set apart by an unknown unit": {"units": '"a" "b" "b"'},
    "frames by kind and others by unit": {
        "kinds": "??? domain domain",
        "units": '"mm" "mm" ""',
    },
    "frames twice": {"dimension": "4", "sizes": "2 32 24 2", "kinds": "list domain domain time"},
    "one dimension": {"dimension": "1", "sizes": "5376"},
    "colour without pictures": {
        "dimension": "2",
        "sizes": "3 1792",
        "kinds": "RGB-color domain",
    },
    "unknown type": {"type": "block"},
    "unknown byte order": {"endian": "middle"},
    "unknown encoding": {"encoding": "bzip2"},
    "no encoding": {"encoding": ""},
    "lines to skip": {"line_skip": "3"},
    "bytes to skip from the end of compressed data": {"encoding": "gzip", "byte_skip": "-1"},
    "negative bytes to skip": {"byte_skip": "-5"},
    "data elsewhere": {"data_file": "../secret.raw"},
    "data missing": {"data_file": "gone.raw"},
    "data list": {"data_file": "LIST"},
    "data pattern": {"data_file": "a%03d.raw 1 7 1"},
}


@pytest.mark.parametrize("fields", BROKEN_HEADERS.values(), ids=BROKEN_HEADERS.keys())
def test_a_broken_header_gets_one_line_that_names_the_file(tmp_path, volume, fields):
    (tmp_path / "secret.raw").write_bytes(volume.tobytes())
    folder = tmp_path / "inner"
    folder.mkdir()
    path = write_by_hand(folder / "a.nrrd", volume.tobytes(), **fields)

    with pytest.raises(SweepError, match=r"^a\.nrrd: expected .*found .*; .*"):
        read_sweep(path)


@pytest.mark.parametrize("data", [b"NRRD0004\n", b"PK\3\4 something else", b"\n\n"])
def test_what_is_no_nrrd_is_refused(tmp_path, data):
    path = tmp_path / "a.nrrd"
    path.write_bytes(data)

    with pytest.raises(SweepError, match="NRRD header"):
        read_sweep(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path, volume, compress):
    path = write_by_itk(tmp_path / "a.nrrd", volume, compress)
    data = path.read_bytes()

    for length in [*range(1, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(SweepError, match=r"a\.nrrd: "):
            np.asarray(read_sweep(path).frames)


def test_data_that_is_not_gzip_is_damaged(tmp_path, volume):
    path = write_by_hand(tmp_path / "a.nrrd", bz2.compress(volume.tobytes()), encoding="gzip")

    with pytest.raises(SweepError, match="damaged"):
        np.asarray(read_sweep(path).frames)


NAMED = {
    "y x t": "YXT",
    "t y x": "TYX",
    "t x y": "TXY",
    "x t y": "XTY",
    "row column frame": "YXT",
    "columns rows frames": "XYT",
    "height width time": "YXT",
    "depth lateral slow": "YXT",
    "z x t": "YXT",
    "x z t": "XYT",
    "x y z": "XYT",
    "ax lat frameno": "YXT",
    "frameno lat ax": "TXY",
    "ax_direction lat_direction n": "YXT",
    "depth height width": "TYX",
    '"y (mm)" "x (mm)" "t (s)"': "YXT",
    '"acquisition time" "lateral" "depth"': "TXY",
    "y other t": "refused",
    "other x t": "refused",
    "x width t": "refused",
    "zeit breite tiefe": "refused",
    "breite zeit tiefe": "refused",
}


@pytest.mark.parametrize(("labels", "order"), NAMED.items(), ids=NAMED.keys())
@pytest.mark.parametrize("kind", ["nrrd", "mha"])
def test_columns_and_rows_are_as_the_labels_name_them(tmp_path, volume, labels, order, kind):
    """Steps are 0.3 along columns, 0.2 along rows, and 40 ms along frames."""
    stored = {"zeit breite tiefe": "TXY", "breite zeit tiefe": "XTY"}.get(labels, order)
    stored = "YXT" if stored == "refused" else stored
    sizes, steps = {"X": 32, "Y": 24, "T": 7}, {"X": 0.3, "Y": 0.2, "T": 40}
    data = volume.transpose(*("TYX".index(axis) for axis in reversed(stored))).tobytes()
    size, step = (" ".join(str(of[axis]) for axis in stored) for of in (sizes, steps))
    path = tmp_path / f"a.{kind}"
    if kind == "nrrd":
        write_by_hand(path, data, sizes=size, spacings=step, labels=labels)
    else:
        lines = f"NDims = 3\nDimSize = {size}\nElementSpacing = {step}\nLabels = {labels}\n"
        path.write_bytes(f"{lines}ElementType = MET_UCHAR\nElementDataFile = LOCAL\n".encode())
        path.write_bytes(path.read_bytes() + data)

    if order == "refused":
        with pytest.raises(SweepError, match=rf"^a\.{kind}: expected columns, rows .*; save"):
            read_sweep(path)
        return

    sweep = read_sweep(path)

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == (0.2, 0.3)


STEPS = {
    "frames first": ("40 0.2 0.3", True),
    "frames second": ("0.2 40 0.3", True),
    "frames third": ("0.3 0.2 40", False),
    "three of one length": ("0.3 0.3 0.3", False),
    "thin slices": ("0.3 0.2 0.01", False),
    "long pixels": ("0.8 0.2 1", False),
}


@pytest.mark.parametrize(("steps", "refused"), STEPS.values(), ids=STEPS.keys())
def test_steps_that_may_be_of_time_are_refused_among_columns_and_rows(
    tmp_path, volume, steps, refused
):
    path = write_by_hand(tmp_path / "a.nrrd", volume.tobytes(), spacings=steps)

    if refused:
        with pytest.raises(SweepError, match=r"^a\.nrrd: .* very unlike steps.*; save"):
            read_sweep(path)
    else:
        assert np.array_equal(read_sweep(path).frames, volume)


MANY = 300_000

LONG_FIELDS = {
    "brackets that never close": {"space_directions": "(" * MANY},
    "half vectors": {"space_directions": "(1," * MANY},
    "vectors without end": {"space_directions": "(1,0,0) " * MANY, "space_units": "m " * MANY},
    "axes without directions": {"space_directions": "none " * MANY, "space_units": "m " * MANY},
    "one vector of many parts": {"space_directions": f"({'1,' * MANY}1)", "space_units": "s " * 9},
    "quotes that never close": {"labels": '"' + "a" * MANY, "units": '" ' * MANY},
    "labels of many words": {"labels": f'"{"time_" * MANY}" "x" "y"'},
}


@pytest.mark.parametrize("fields", LONG_FIELDS.values(), ids=LONG_FIELDS.keys())
def test_long_fields_of_a_header_hold_nothing_up(tmp_path, volume, fields):
    """Of one that is gone through again for each of its words, this would take minutes."""
    path = write_by_hand(tmp_path / "a.nrrd", volume.tobytes(), **fields)
    began = time.process_time()

    with contextlib.suppress(SweepError):
        read_sweep(path)

    assert time.process_time() - began < 5
