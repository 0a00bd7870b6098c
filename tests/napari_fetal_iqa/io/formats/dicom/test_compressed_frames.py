"""Values that decoders change on their way: bits, signs, black and white; and sizes that differ."""

import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.formats.dicom.codestream import read_codestream


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def lossless_jpeg(frame: np.ndarray, precision: int) -> bytes:
    """Process 14 with the first predictor, every category in 5 bits (ITU-T T.81, annex H)."""
    rows, columns = frame.shape
    bits = ""
    for row in range(rows):
        for column in range(columns):
            if column:
                predicted = frame[row, column - 1]
            else:
                predicted = frame[row - 1, 0] if row else 1 << precision - 1
            difference = int(frame[row, column]) - int(predicted)
            category = abs(difference).bit_length()
            bits += f"{category:05b}"
            if category:
                low = difference if difference > 0 else difference + (1 << category) - 1
                bits += f"{low:0{category}b}"
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    size = bytes([precision]) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    return (
        b"\xff\xd8"
        + segment(0xC3, size + bytes([1, 1, 0x11, 0]))
        + segment(0xC4, table)
        + segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
        + packed(bits)
        + b"\xff\xd9"
    )


def save_lossless(save_dicom, frames, precision, **given):
    data = encapsulate([lossless_jpeg(frame, precision) for frame in frames])
    bits = {"BitsStored": precision, "HighBit": precision - 1}
    return save_dicom("a.dcm", frames, uid.JPEGLosslessSV1, PixelData=data, **bits, **given)


@pytest.mark.parametrize("precision", [6, 8, 10, 12, 15])
def test_lossless_jpeg_of_any_depth_is_read_as_if_it_were_not_compressed(save_dicom, precision):
    kind = np.uint8 if precision <= 8 else np.uint16
    frames = np.random.default_rng(0).integers(0, 1 << min(8, precision), (2, 6, 9)).astype(kind)

    found = read_sweep(save_lossless(save_dicom, frames, precision)).frames

    assert np.array_equal(found, frames)


@pytest.mark.parametrize("precision", [8, 12])
def test_lossless_jpeg_is_turned_over_where_white_is_0(save_dicom, precision):
    kind = np.uint8 if precision == 8 else np.uint16
    white = (1 << precision) - 1
    frames = np.random.default_rng(0).integers(0, white + 1, (2, 6, 9)).astype(kind)
    frames[0, 0, 0] = 0

    found = read_sweep(
        save_lossless(save_dicom, frames, precision, PhotometricInterpretation="MONOCHROME1")
    ).frames

    assert np.array_equal(found, np.rint((white - frames.astype(float)) / white * 255))


def test_lossless_jpeg_with_a_sign_is_read(save_dicom):
    values = np.random.default_rng(0).integers(-2048, 2048, (2, 6, 9)).astype(np.int16)
    stored = values.view(np.uint16) & 0xFFF

    path = save_lossless(save_dicom, stored, 12, PixelRepresentation=1)

    expected = np.rint((values.astype(float) - values.min()) / (values.max() - values.min()) * 255)
    assert np.array_equal(read_sweep(path).frames, expected)


def test_lossless_jpeg_of_a_palette_is_read(save_dicom, volume):
    given = {"PhotometricInterpretation": "PALETTE COLOR"}
    for channel in ("Red", "Green", "Blue"):
        given[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        given[f"{channel}PaletteColorLookupTableData"] = bytes(range(255, -1, -1))

    assert np.array_equal(
        read_sweep(save_lossless(save_dicom, volume[:2], 8, **given)).frames, 255 - volume[:2]
    )


def test_jpeg_ls_of_12_bits_is_read_as_if_it_were_not_compressed(save_dicom):
    # One sample of 200 in 12 bits: a run of 0, then its Golomb code (ITU-T T.87, A.7.2).
    code, k = 2 * 200 - 1, 6
    bits = "0" + "0" * (code >> k) + "1" + f"{code & 63:06b}"
    data = (
        b"\xff\xd8"
        + segment(0xF7, bytes([12, 0, 1, 0, 1, 1, 1, 0x11, 0]))
        + segment(0xDA, bytes([1, 1, 0, 0, 0, 0]))
        + packed(bits.ljust(-(-len(bits) // 8) * 8, "0"))
        + b"\xff\xd9"
    )

    path = save_dicom(
        "a.dcm",
        np.zeros((1, 1, 1), np.uint16),
        uid.JPEGLSLossless,
        BitsStored=12,
        PixelData=encapsulate([data]),
    )

    assert read_sweep(path).frames.tolist() == [[[200]]]


def picture(format: str, size=(40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, 7).save(file, format)
    return file.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "JPEG2000"])
def test_a_codestream_says_its_size(format):
    found = read_codestream(picture(format))

    assert found is not None
    assert (found.rows, found.columns) == (30, 40)


@pytest.mark.parametrize(
    ("format", "syntax"),
    [("JPEG", uid.JPEGBaseline8Bit), ("JPEG2000", uid.JPEG2000Lossless)],
)
def test_a_frame_of_another_size_is_refused_before_it_is_decoded(
    save_dicom, volume, monkeypatch, format, syntax
):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded"))
    data = picture(format, (32, 24))
    wrong = bytearray(data)
    if format == "JPEG":
        at = wrong.index(b"\xff\xc0") + 5
        wrong[at : at + 4] = struct.pack(">HH", 9000, 9000)
    else:
        at = wrong.index(b"\xff\x4f\xff\x51") + 8
        wrong[at : at + 8] = struct.pack(">LL", 9000, 9000)

    path = save_dicom("a.dcm", volume[:1], syntax, PixelData=encapsulate([bytes(wrong)]))

    with pytest.raises(SweepError, match="decoders can read"):
        read_sweep(path)
