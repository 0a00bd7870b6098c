"""Values that mean "nothing here" are black and have no part in the window (PS3.3, C.7.5.1.1.2)."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.encaps import encapsulate

from napari_fetal_iqa.io import read_sweep

SYNTAXES = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian]


def padded(volume, dtype, value) -> np.ndarray:
    frames = volume.astype(dtype)
    frames[:, :5] = value
    return frames


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("dtype", "value"),
    [(np.int16, -32768), (np.int16, -2000), (np.int16, 32767), (np.uint16, 65535), (np.uint8, 255)],
)
def test_padding_is_black_and_outside_of_the_window(save_dicom, volume, syntax, dtype, value):
    volume = np.minimum(volume, 254)
    given = {"PixelPaddingValue": value}

    sweep = read_sweep(save_dicom("a.dcm", padded(volume, dtype, value), syntax, **given))

    assert np.array_equal(sweep.frames, padded(volume, np.uint8, 0))


def test_a_padding_value_whose_sign_a_writer_forgot_is_known(save_dicom, volume):
    path = save_dicom("a.dcm", padded(volume, np.int16, -2000), PixelPaddingValue=-2000)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x28\x00\x20\x01SS", b"\x28\x00\x20\x01US"))

    assert np.array_equal(read_sweep(path).frames, padded(volume, np.uint8, 0))


def test_a_padding_value_that_the_stored_bits_cannot_hold_is_known(save_dicom, volume):
    frames = padded(volume.astype(np.int16) * 8 - 1000, np.int16, -32768)

    path = save_dicom("a.dcm", frames, BitsStored=12, HighBit=11, PixelPaddingValue=-32768)

    found = np.asarray(read_sweep(path).frames)
    assert not found[:, :5].any()
    assert np.array_equal(found[:, 5:], volume[:, 5:])  # a window of 255 * 8 from the lowest


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_padding_of_monochrome1_is_black_too(save_dicom, volume, dtype):
    frames = padded(np.minimum(volume, 254), dtype, 255)

    path = save_dicom(
        "a.dcm", frames, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=255
    )

    found = np.asarray(read_sweep(path).frames)
    assert not found[:, :5].any()
    assert found[:, 5:].max() >= 254
    if dtype == np.uint8:
        assert np.array_equal(found[:, 5:], 255 - frames[:, 5:])


def test_the_padding_value_0_of_monochrome1_is_not_white(save_dicom, volume):
    frames = padded(np.maximum(volume, 1), np.uint8, 0)

    path = save_dicom("a.dcm", frames, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0)

    found = np.asarray(read_sweep(path).frames)
    assert np.array_equal(found[:, 5:], 255 - frames[:, 5:])
    assert not found[:, :5].any()


def test_colour_has_no_padding(save_dicom, volume):
    colour = np.repeat(volume[..., np.newaxis], 3, axis=-1)

    path = save_dicom("a.dcm", colour, PixelPaddingValue=200)

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("limit", [None, 252])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_padding_of_a_palette_is_black_whatever_its_colour(save_dicom, volume, kind, limit):
    frames = padded(np.minimum(volume, 251), kind, 255)
    if limit is not None:
        frames[:, :2] = limit  # the other end of the range
    given = {"PhotometricInterpretation": "PALETTE COLOR", "PixelPaddingValue": 255}
    if limit is not None:
        given["PixelPaddingRangeLimit"] = limit
    table = np.arange(256, dtype=np.uint8)
    table[252:] = 255
    for channel in ("Red", "Green", "Blue"):
        given[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        given[f"{channel}PaletteColorLookupTableData"] = table.tobytes()

    found = read_sweep(save_dicom("a.dcm", frames, **given)).frames

    assert np.array_equal(found, padded(np.minimum(volume, 251), np.uint8, 0))


def test_padding_of_compressed_frames_is_black(save_dicom, volume):
    import io

    from PIL import Image

    frames = padded(np.minimum(volume, 254), np.uint16, 4095)
    encoded = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG2000", no_jp2=True)
        encoded.append(file.getvalue())

    path = save_dicom(
        "a.dcm",
        frames,
        uid.JPEG2000Lossless,
        PixelData=encapsulate(encoded),
        PixelPaddingValue=4095,
    )

    assert np.array_equal(read_sweep(path).frames, padded(frames, np.uint8, 0))


def test_every_file_of_a_folder_has_its_own_padding(save_dicom, volume, tmp_path):
    volume = np.minimum(volume, 200)
    for frame in range(7):
        value = -(1000 + frame)
        save_dicom(
            f"case/{frame}",
            padded(volume[frame : frame + 1], np.int16, value),
            SeriesInstanceUID="1.2",
            InstanceNumber=frame,
            PixelPaddingValue=value,
        )

    assert np.array_equal(read_sweep(tmp_path / "case").frames, padded(volume, np.uint8, 0))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 99),
    ends=st.tuples(st.integers(-300, 300), st.integers(-300, 300)),
    limit=st.booleans(),
    syntax=st.sampled_from(SYNTAXES),
)
def test_whatever_lies_in_the_range_is_black(save_dicom, seed, ends, limit, syntax):
    frames = np.random.default_rng(seed).integers(-300, 301, (2, 6, 7)).astype(np.int16)
    given = {"PixelPaddingValue": ends[0]}
    if limit:
        given["PixelPaddingRangeLimit"] = ends[1]
    else:
        ends = (ends[0], ends[0])

    found = np.asarray(read_sweep(save_dicom("a.dcm", frames, syntax, **given)).frames)

    nothing = (frames >= min(ends)) & (frames <= max(ends))
    values = frames[~nothing].astype(float)
    low, high = min(0, values.min(initial=0)), max(0, values.max(initial=0))
    expected = np.zeros(frames.shape)
    if low == 0 and high <= 255:
        expected[~nothing] = values
    else:
        expected[~nothing] = np.rint((values - low) / (high - low) * 255)
    assert np.array_equal(found, expected)
