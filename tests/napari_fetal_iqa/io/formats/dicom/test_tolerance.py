"""What pixels do not need cannot make a sound file damaged; and files without preamble."""

import io
import logging
import struct

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.discovery import is_dicom


def with_element(path, tag: int, vr: bytes, value: bytes) -> None:
    """Write an element into an explicit little endian file, whatever the standard says of it."""
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    place = start
    while True:  # elements of the fixture are all of short form before the pixels
        group, number, _, length = struct.unpack("<HH2sH", data[place : place + 8])
        if group << 16 | number >= tag:
            break
        place += 8 + length
    same = group << 16 | number == tag
    value += b" " * (len(value) % 2)
    element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
    path.write_bytes(data[:place] + element + data[place + (8 + length if same else 0) :])


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00200013, b"IS", b"Doe"),
        (0x00200013, b"IS", b"1\\2"),
        (0x00200013, b"IS", b"99999999999999999999"),
        (0x00200013, b"IS", b"1e999"),
        (0x00200013, b"US", b"\x01\x00"),
        (0x00200011, b"IS", b"two"),
        (0x00200011, b"LO", b"nan"),
        (0x00280030, b"DS", b"a\\b"),
        (0x00280030, b"DS", b"0.1"),
        (0x00280030, b"FD", b"\x00"),
        (0x00280030, b"DS", b"nan\\inf"),
        (0x00186011, b"DS", b"no sequence"),
        (0x00186011, b"LT", b"\xfe\xff\x00\xe0"),
        (0x00080020, b"DA", b"yesterday"),
        (0x00080005, b"CS", b"KLINGON"),
        (0x00100030, b"??", b"Doe"),
        (0x00280006, b"US", b""),
        (0x00280120, b"LO", b"none"),
        (0x00281101, b"US", b"x"),
        (0x00280009, b"AT", b"odd"),
        *(
            (0x00280008, b"IS", value)
            for value in (b"abc", b"4\\4", b"-1", b"1.5", b"1e999", b"nan", b"Doe")
        ),
        (0x00282110, b"CS", b"Doe^Jane"),
    ],
)
def test_a_wrong_value_that_pixels_do_not_need_is_passed_over(
    save_dicom, volume, tag, vr, value, caplog, recwarn
):
    caplog.set_level(logging.DEBUG)
    path = save_dicom("a.dcm", volume)
    with_element(path, tag, vr, value)

    sweep = read_sweep(path)

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm is None
    assert not recwarn.list
    assert "Doe" not in caplog.text + repr(vars(sweep))


@pytest.mark.parametrize("name", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_grey_that_kept_the_name_of_its_colours_is_read(save_dicom, volume, name):
    path = save_dicom("a.dcm", volume, PhotometricInterpretation=name)

    assert np.array_equal(read_sweep(path).frames, volume)


def test_colour_that_is_called_grey_is_read(save_dicom, volume):
    colour = np.repeat(volume[..., np.newaxis], 3, axis=-1)

    path = save_dicom("a.dcm", colour, PhotometricInterpretation="MONOCHROME2")

    assert np.array_equal(read_sweep(path).frames, volume)


def test_decimal_commas_are_read_and_said(save_dicom, volume):
    path = save_dicom("a.dcm", volume)
    with_element(path, 0x00280030, b"DS", b"0,11\\0,22")

    sweep = read_sweep(path)

    assert sweep.spacing_mm == (0.11, 0.22)
    assert "decimal commas" in sweep.spacing_note


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00280010, b"US", b""),
        (0x00280010, b"CS", b"Doe"),
        (0x00280011, b"US", b"\x00\x00"),
        (0x00280002, b"US", b"\x05\x00"),
        (0x00280004, b"CS", b"Doe"),
        (0x00280100, b"US", b"\x07\x00"),
        (0x00280101, b"US", b"\x09\x00"),
        (0x00280103, b"US", b"\x02\x00"),
    ],
)
def test_a_wrong_value_that_pixels_need_is_refused_and_not_quoted(
    save_dicom, volume, tag, vr, value
):
    path = save_dicom("a.dcm", volume)
    with_element(path, tag, vr, value)

    with pytest.raises(SweepError) as caught:
        read_sweep(path)
    assert str(caught.value).startswith("a.dcm: expected")
    assert "Doe" not in str(caught.value)


def bare(path, syntax, meta=False) -> None:
    """Write a file again without its preamble, and without its meta information."""
    dataset = pydicom.dcmread(path)
    written = io.BytesIO()
    if meta:
        dataset.save_as(written, enforce_file_format=True)
        path.write_bytes(written.getvalue()[132:])
        return
    plain = Dataset(dataset)
    plain.save_as(written, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    path.write_bytes(written.getvalue())


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize("name", ["a.dcm", "IM1"])
def test_a_file_without_preamble_is_read(save_dicom, volume, tmp_path, syntax, meta, name):
    path = save_dicom(f"case/{name}", volume, syntax, PixelSpacing=[0.2, 0.3])
    bare(path, syntax, meta)

    for place in (path, tmp_path / "case"):
        sweep = read_sweep(place)
        assert np.array_equal(sweep.frames, volume)
        assert sweep.spacing_mm == (0.2, 0.3)


def test_meta_information_without_a_transfer_syntax_is_no_hindrance(save_dicom, volume):
    path = save_dicom("a.dcm", volume)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x16\x00AE"))

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100",
        b"\x08\x00\x05\x00\xff\xff\xff\xff" * 20,
        b"\x08\x00\x00\x00" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"\x02\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00" * 20,
        b"NDims = 3\nDimSize = 4 4 4\n" * 20,
        bytes(500),
    ],
)
def test_other_files_are_no_dicom(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)

    assert not is_dicom(path)
