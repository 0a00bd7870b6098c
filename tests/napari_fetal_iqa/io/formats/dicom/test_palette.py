"""Palettes: the grey of every entry, by the table alone."""

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.pixels import apply_color_lut

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

LUMA = np.array([0.299, 0.587, 0.114])
CHANNELS = ("Red", "Green", "Blue")


def palette(tables, bits=16, first=0, entries=None, segmented=False) -> dict:
    """Attributes of a palette; ``tables`` are of red, green and blue."""
    given = {"PhotometricInterpretation": "PALETTE COLOR"}
    prefix = "Segmented" if segmented else ""
    for channel, table in zip(CHANNELS, tables, strict=True):
        table = np.asarray(table)
        count = len(table) if entries is None else entries
        given[f"{channel}PaletteColorLookupTableDescriptor"] = [count % 65536, first, bits]
        data = table.tobytes()
        given[f"{prefix}{channel}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return given


def grey_by_pydicom(path, wide: bool) -> np.ndarray:
    dataset = pydicom.dcmread(path)
    colours = apply_color_lut(dataset.pixel_array, dataset)
    return np.rint((colours // 256 if wide else colours) @ LUMA)


@pytest.mark.parametrize("highest", [0x1FFF, 0xFFFF])
def test_a_16_bit_palette_is_scaled_by_the_table_and_not_by_the_frame(save_dicom, volume, highest):
    table = np.linspace(0, highest, 256).astype(np.uint16)
    frames = volume.copy()
    frames[1:3] //= 250  # darker than any 256 of 65535

    path = save_dicom("a.dcm", frames, **palette([table] * 3))

    found = np.asarray(read_sweep(path).frames)
    assert np.array_equal(found, (table >> 8)[frames])
    assert np.abs(found - grey_by_pydicom(path, wide=True)).max() <= 1


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize("bits", [8, 16])
def test_8_bit_entries_in_16_bit_fields_are_known(save_dicom, volume, bits, syntax):
    table = np.arange(255, -1, -1).astype(np.uint16)

    path = save_dicom("a.dcm", volume, syntax, **palette([table] * 3, bits=bits))

    assert np.array_equal(read_sweep(path).frames, 255 - volume)


def test_8_bit_entries_are_read(save_dicom, volume):
    tables = np.random.default_rng(2).integers(0, 256, (3, 256), np.uint8)

    path = save_dicom("a.dcm", volume, **palette(tables, bits=8))

    assert np.abs(read_sweep(path).frames - grey_by_pydicom(path, wide=False)).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_values_outside_of_the_table_have_the_colour_of_its_ends(save_dicom, volume, dtype):
    first = -20 if dtype == np.int16 else 30
    table = np.arange(50, 150).astype(np.uint8)
    frames = volume.astype(dtype)

    path = save_dicom("a.dcm", frames, **palette([table] * 3, bits=8, first=first))

    expected = table[np.clip(frames.astype(int) - first, 0, 99)]
    assert np.array_equal(read_sweep(path).frames, expected)
    if dtype == np.uint8:  # places above 255 of 8-bit tables wrap in pydicom 3.0
        assert np.array_equal(expected, grey_by_pydicom(path, wide=False))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    entries=st.sampled_from([2, 8, 254, 256, 4096, 65536]),
    first=st.integers(0, 300),
    wide=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_grey_is_that_of_the_colours_of_pydicom(save_dicom, entries, first, wide, seed):
    rng = np.random.default_rng(seed)
    dtype = np.uint16 if wide else np.uint8
    tables = rng.integers(0, 65536 if wide else 256, (3, entries)).astype(dtype)
    tables[0, 0] = np.iinfo(dtype).max
    highest = 65536 if wide else 256  # places above 255 of 8-bit tables wrap in pydicom 3.0
    frames = rng.integers(0, highest, (2, 5, 6)).astype(np.uint16)

    path = save_dicom("a.dcm", frames, **palette(tables, bits=16 if wide else 8, first=first))

    assert np.abs(read_sweep(path).frames - grey_by_pydicom(path, wide)).max() <= 1


RAMP_16 = np.array([0, 2, 0, 100, 1, 254, 65000, 2, 2, 0, 0], np.uint16)  # and both once more
RAMP_8 = np.array([0, 2, 0, 100, 1, 126, 250, 2, 2, 0, 0, 0, 0], np.uint8)


@pytest.mark.parametrize(
    ("segments", "bits", "entries"), [(RAMP_16, 16, 512), (RAMP_8, 8, 256)], ids=["16", "8"]
)
def test_a_segmented_palette_is_that_of_pydicom(save_dicom, volume, segments, bits, entries):
    frames = volume.astype(np.uint16) * 2 if bits == 16 else volume

    given = palette([segments] * 3, bits=bits, entries=entries, segmented=True)
    path = save_dicom("a.dcm", frames, **given)

    expected = grey_by_pydicom(path, wide=bits == 16)
    assert np.abs(read_sweep(path).frames - expected).max() <= 1


@pytest.mark.parametrize(
    "given",
    [
        palette([np.zeros(100, np.uint8)] * 3, bits=8, entries=256),
        palette([np.zeros(256, np.uint8)] * 3, bits=16, entries=256),
        palette([np.zeros(256, np.uint8)] * 3, bits=12, entries=256),
        palette([np.array([3, 2], np.uint16)] * 3, entries=256, segmented=True),
        palette([np.array([1, 9, 9], np.uint16)] * 3, entries=256, segmented=True),
        palette([np.array([0, 1, 5, 2, 1, 0, 0], np.uint16)] * 3, entries=256, segmented=True),
        palette([np.array([0, 1, 5, 1, 0, 5] * 9, np.uint16)] * 3, entries=0, segmented=True),
        {"PhotometricInterpretation": "PALETTE COLOR"},
    ],
    ids=[
        "short",
        "half as wide as it says",
        "12 bits",
        "no such segment",
        "a ramp from nowhere",
        "a segment of itself",
        "too few segments",
        "none",
    ],
)
def test_a_damaged_palette_is_refused(save_dicom, volume, given):
    with pytest.raises(SweepError, match="decoders can read"):
        read_sweep(save_dicom("a.dcm", volume, **given))
