"""The walk over elements: pydicom finds the same ones, however they are nested and encoded."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom import calibration, elements, header
from napari_fetal_iqa.io.formats.dicom.elements import DataSet
from napari_fetal_iqa.io.formats.dicom.representations import REPRESENTATIONS

LEAVES = {
    "Rows": st.integers(0, 65535),
    "InstanceNumber": st.integers(-9, 99),
    "PixelSpacing": st.lists(st.integers(1, 9), min_size=2, max_size=2),
    "PhysicalDeltaX": st.floats(-9, 9),
    "RegionLocationMinX0": st.integers(0, 1 << 31),
    "PatientComments": st.text("abcÄ ", max_size=20),
    "RedPaletteColorLookupTableData": st.binary(max_size=8).map(lambda b: b + b),
    "PixelPaddingValue": st.integers(0, 99),
}
SEQUENCES = ["SequenceOfUltrasoundRegions", "PixelMeasuresSequence"]


def dataset(children) -> st.SearchStrategy:
    def build(leaves, sequences, undefined):
        made = Dataset()
        made.PixelRepresentation = 0
        for key, value in leaves.items():
            setattr(made, key, value)
        for key, items in sequences.items():
            setattr(made, key, items)
            made[key].is_undefined_length = undefined
            for item in items:
                item.is_undefined_length_sequence_item = undefined
        return made

    return st.builds(
        build,
        st.fixed_dictionaries({}, optional=LEAVES),
        st.dictionaries(st.sampled_from(SEQUENCES), st.lists(children, max_size=3), max_size=2),
        st.booleans(),
    )


DATASETS = st.recursive(dataset(st.builds(Dataset)), dataset, max_leaves=12)


def check(found: DataSet, place: int, end: int, expected: Dataset) -> None:
    walked = {element.tag: element for element in found.walk(place, end)}
    assert list(walked) == [int(element.tag) for element in expected]
    for element in expected:
        inside = walked[int(element.tag)]
        if element.VR == "SQ":
            items = list(found.items(inside, end))
            assert len(items) == len(element.value)
            for item, inner in zip(items, element.value, strict=True):
                check(found, *item, inner)
        elif element.VR in ("US", "UL", "FD", "DS", "IS"):
            values = [] if element.value is None else np.atleast_1d(element.value).tolist()
            assert found.numbers(inside) == pytest.approx(values)


@settings(max_examples=150, deadline=None)
@given(expected=DATASETS, explicit=st.booleans(), little=st.booleans())
def test_pydicom_finds_the_same_elements(expected, explicit, little):
    little = little or not explicit
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not explicit, little
    expected.SpecificCharacterSet = "ISO_IR 100"
    write_dataset(file, expected)
    data = file.getvalue()

    check(DataSet("a.dcm", data, explicit, little), 0, len(data), expected)


def test_sequences_nested_deeper_than_any_stack_are_passed_over():
    opening = struct.pack("<HH4sL", 9, 0x10, b"SQ\0\0", elements.UNDEFINED)
    opening += struct.pack("<HHL", 0xFFFE, 0xE000, elements.UNDEFINED)
    closing = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    rows = struct.pack("<HH2sHH", 0x28, 0x10, b"US", 2, 24)
    data = opening * 100_000 + closing * 100_000 + rows

    found = DataSet("a.dcm", data, True).pick(0, len(data), {0x00280010})

    assert found[0x00280010].length == 2


@pytest.mark.parametrize("end", [8, 11, 12, 41])
def test_an_element_beyond_the_end_is_an_error(end):
    data = struct.pack("<HH4sL", 8, 5, b"UT\0\0", 30) + bytes(30)

    with pytest.raises(ValueError, match="beyond"):
        list(DataSet("a.dcm", data[:end], True).walk(0, end))


def test_more_elements_than_any_image_has_are_refused(monkeypatch):
    monkeypatch.setattr(elements, "MAX_ELEMENTS", 100)
    data = struct.pack("<HH2sH", 8, 5, b"CS", 0) * 101

    with pytest.raises(SweepError, match=r"a\.dcm: expected a DICOM header of at most 100"):
        list(DataSet("a.dcm", data, True).walk(0, len(data)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"0,11\\0,22 ", [0.11, 0.22]),
        (b" 7 ", [7]),
        (b"7\0", [7]),
        (b"1e-1\\2.", [0.1, 2]),
        (b"seven", []),
        (b"1\\", []),
        (b"", []),
    ],
)
def test_text_is_taken_as_numbers_where_it_is(text, expected):
    data = struct.pack("<HH2sH", 0x28, 0x30, b"DS", len(text)) + text
    found = DataSet("a.dcm", data, True)

    assert found.numbers(found.element_at(0, len(data))) == expected


def test_the_dictionary_has_the_same_representation_of_every_element_that_is_decoded():
    decoded = {*header._WANTED, *calibration._OF_REGION, calibration.PIXEL_MEASURES}

    assert set(REPRESENTATIONS) == decoded
    for tag, representation in REPRESENTATIONS.items():
        assert representation in dictionary_VR(tag).split(" or "), hex(tag)
