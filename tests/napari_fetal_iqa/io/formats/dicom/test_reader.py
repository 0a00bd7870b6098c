import logging
import threading
import zlib
from pathlib import Path

import av
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.formats.dicom import compressed_frames, file
from napari_fetal_iqa.io.frames.raw_frames import RawFrames

LUMA = np.array([0.299, 0.587, 0.114])


def grey_by_pydicom(path: str) -> np.ndarray:
    """The grey that pydicom's own RGB gives."""
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        pixels = pixels / 256 if pixels.max() > 255 else pixels
    if dataset.get("NumberOfFrames", 1) in (None, 1):
        pixels = pixels[np.newaxis]
    return pixels @ LUMA if pixels.ndim == 4 else pixels.astype(float)


REAL_FILES = {
    # name: frames, spacing in mm, greatest difference from pydicom's own grey
    "color3d_jpeg_baseline.dcm": ((120, 480, 640), 0.5104970559, 7),  # clipped colours
    # Clipped colours; and scaled down, or cut, so that their regions reach beyond the frame.
    "examples_ybr_color.dcm": ((30, 240, 320), None, 7),
    "examples_palette.dcm": ((1, 350, 800), None, 1),
    "OBXXXX1A_rle_2frame.dcm": ((2, 600, 800), 0.2622878766, 1),
    "OBXXXX1A_expb_2frame.dcm": ((2, 600, 800), 0.2622878766, 1),
    "gdcm-US-ALOKA-16.dcm": ((1, 480, 640), 0.382653065, 1),
    "examples_rgb_color.dcm": ((1, 240, 320), None, 1),
    "US1_J2KR.dcm": ((1, 480, 640), None, 1),
    "US1_J2KI.dcm": ((1, 480, 640), None, 1),
    "US1_UNCR.dcm": ((1, 480, 640), None, 1),
    "ExplVR_BigEnd.dcm": ((1, 60, 80), None, 1),
    "SC_rgb_jpeg.dcm": ((1, 256, 256), None, 1),
    "SC_ybr_full_422_uncompressed.dcm": ((1, 100, 100), 1.0, 2),
    "image_dfl.dcm": ((1, 512, 512), None, 0),
}


@pytest.mark.filterwarnings("ignore:Expected explicit VR")  # pydicom's, of SC_rgb_jpeg.dcm
@pytest.mark.parametrize("name", REAL_FILES)
def test_real_files_have_the_grey_that_pydicom_gives(name):
    path = get_testdata_file(name)
    shape, spacing, tolerance = REAL_FILES[name]

    sweep = read_sweep(path)

    assert sweep.shape == shape
    assert sweep.spacing_mm == (spacing and pytest.approx((spacing, spacing)))
    difference = np.abs(np.asarray(sweep.frames, float) - grey_by_pydicom(path))
    assert difference.max() <= tolerance
    assert difference.mean() < 0.5
    assert sweep.source_format == "DICOM"


# Files of one picture in two transfer syntaxes that lose nothing.
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("emri_small_jpeg_ls_lossless.dcm", "emri_small.dcm"),
        ("emri_small_RLE.dcm", "emri_small.dcm"),
        ("emri_small_jpeg_2k_lossless.dcm", "emri_small.dcm"),
        ("emri_small_big_endian.dcm", "emri_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb.dcm"),
    ],
)
def test_lossless_compression_changes_no_pixel(name, reference):
    frames = read_sweep(get_testdata_file(name)).frames

    assert np.array_equal(frames, read_sweep(get_testdata_file(reference)).frames)


def test_lossless_jpeg_of_a_scanner_is_read():
    sweep = read_sweep(get_testdata_file("JPGLosslessP14SV1_1s_1f_8b.dcm"))

    assert sweep.shape == (1, 768, 1024)
    assert sweep.spacing_mm == pytest.approx((0.2547669659, 0.2547669659))
    assert np.asarray(sweep.frames).max() == 255
    assert np.asarray(sweep.frames).mean() == pytest.approx(17.3, abs=0.05)


def test_a_jpeg_2000_whose_sign_differs_from_the_header_is_read():
    path = get_testdata_file("J2K_pixelrep_mismatch.dcm")
    values = grey_by_pydicom(path)

    frames = np.asarray(read_sweep(path).frames, float)

    assert values.min() == -2000
    expected = (values + 2000) / (values.max() + 2000) * 255
    assert np.abs(frames - expected).max() <= 0.5


def test_12_bit_jpeg_is_read():
    assert read_sweep(get_testdata_file("JPEG-lossy.dcm")).shape == (1, 1024, 256)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_uncompressed_grey_is_read_as_it_is_looked_at(save_dicom, volume, syntax):
    sweep = read_sweep(save_dicom("a.dcm", volume, syntax))

    assert isinstance(sweep.frames, RawFrames)
    assert np.array_equal(sweep.frames, volume)
    assert sweep.bounds == ((0, 7),)


def test_the_ending_may_be_missing(save_dicom, volume):
    assert np.array_equal(read_sweep(save_dicom("IM_0001", volume)).frames, volume)


def test_the_black_of_monochrome1_is_its_highest_value(save_dicom, volume):
    path = save_dicom("a.dcm", volume, PhotometricInterpretation="MONOCHROME1")

    assert np.array_equal(read_sweep(path).frames, 255 - volume)


def test_signed_monochrome1_is_turned_over(save_dicom, volume):
    frames = volume.astype(np.int16) - 128

    path = save_dicom("a.dcm", frames, PhotometricInterpretation="MONOCHROME1")

    assert read_sweep(path).frames.argmax() == frames.argmin()


def test_16_bit_pixels_are_windowed(save_dicom, volume):
    sweep = read_sweep(save_dicom("a.dcm", volume.astype(np.uint16) * 100))

    assert np.array_equal(sweep.frames, volume)


def test_colour_becomes_grey(save_dicom, volume):
    colour = np.repeat(volume[..., np.newaxis], 3, axis=-1)

    assert np.array_equal(read_sweep(save_dicom("a.dcm", colour)).frames, volume)


def test_a_video_inside_is_read(save_dicom, tmp_path, smooth_volume):
    with av.open(tmp_path / "a.mp4", "w") as video:
        stream = video.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = *smooth_volume.shape[1:], "yuv420p"
        for frame in smooth_volume:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    data = encapsulate([(tmp_path / "a.mp4").read_bytes()])

    path = save_dicom("a.dcm", smooth_volume, uid.MPEG4HP41, PixelData=data)

    frames = np.asarray(read_sweep(path).frames, int)
    assert frames.shape == smooth_volume.shape
    assert np.abs(frames - smooth_volume).mean() < 2


@pytest.mark.parametrize(
    ("container", "codec"), [("mpegts", "h264"), ("h264", "h264"), ("mpeg", "mpeg2video")]
)
def test_videos_in_other_containers_are_recognised(tmp_path, save_dicom, container, codec):
    frames = np.zeros((12, 64, 64), np.uint8)
    frames[:, :, 32:] = 200
    encoder = {"h264": "libx264"}.get(codec, codec)
    with av.open(tmp_path / "video", "w", format=container) as video:
        stream = video.add_stream(encoder, rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    data = encapsulate([(tmp_path / "video").read_bytes()])
    syntax = uid.MPEG2MPML if codec == "mpeg2video" else uid.MPEG4HP41

    sweep = read_sweep(save_dicom("a.dcm", frames, syntax, PixelData=data))

    assert sweep.shape == frames.shape
    assert np.abs(np.asarray(sweep.frames, int) - frames).mean() < 3


def test_a_dicom_without_pixels_is_no_sweep():
    with pytest.raises(SweepError, match=r"^test-SR\.dcm: expected a DICOM image, .* without pix"):
        read_sweep(get_testdata_file("test-SR.dcm"))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit])
def test_a_dicom_whose_pixel_data_is_missing_is_no_sweep(save_dicom, volume, syntax):
    path = save_dicom("a.dcm", volume)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    del dataset.PixelData
    dataset.save_as(path)

    with pytest.raises(SweepError, match=r"a\.dcm: expected a DICOM image"):
        read_sweep(path)


def test_other_files_under_a_dicom_name_are_refused(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"not at all")

    with pytest.raises(SweepError, match=r"a\.dcm: expected a DICOM image"):
        read_sweep(path)


@pytest.mark.parametrize("frames", [8, 1000, 10**6])
def test_frames_that_are_not_there_are_missed(save_dicom, volume, frames):
    path = save_dicom("a.dcm", volume, NumberOfFrames=frames)

    with pytest.raises(SweepError, match=r"a\.dcm: expected"):
        read_sweep(path)


def test_frames_larger_than_any_scanner_makes_are_refused(save_dicom, volume):
    path = save_dicom("a.dcm", volume, Rows=60000, Columns=60000)

    with pytest.raises(SweepError, match="at most"):
        read_sweep(path)


def test_a_transfer_syntax_without_decoder_says_which_to_install(save_dicom, volume, monkeypatch):
    path = save_dicom("a.dcm", volume, uid.HTJ2K, PixelData=encapsulate([b"data"] * 7))

    with pytest.raises(SweepError, match=r"High-Throughput JPEG 2000.*install one \(pylibjpeg"):
        read_sweep(path)


def test_an_unknown_transfer_syntax_is_not_quoted(save_dicom, volume):
    path = save_dicom("a.dcm", volume, uid.JPEG2000, PixelData=encapsulate([b"data"] * 7))
    path.write_bytes(
        path.read_bytes().replace(b"1.2.840.10008.1.2.4.91", b"1.2.840.66666.1.2.4.91")
    )

    with pytest.raises(SweepError, match="an unknown transfer syntax") as caught:
        read_sweep(path)
    assert "66666" not in str(caught.value)


def test_jpeg_ls_by_sample_is_refused_rather_than_black():
    with pytest.raises(SweepError, match="decoders can read"):
        read_sweep(get_testdata_file("SC_rgb_jls_lossy_sample.dcm"))


def test_unknown_colours_are_refused(save_dicom, volume):
    path = save_dicom("a.dcm", volume, PhotometricInterpretation="HSV")

    with pytest.raises(SweepError, match="decoders can read"):
        read_sweep(path)


def test_patient_data_is_in_no_field_error_or_log(save_dicom, volume, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    path = save_dicom("a.dcm", volume)
    data = path.read_bytes()
    texts = [repr(read_sweep(path))]
    for wrong in (b"RowsDoe^Jane", b"1\\2\\Doe^Jane"):
        at = data.index(b"\x28\x00\x08\x00IS")  # NumberOfFrames
        path.write_bytes(
            data[:at]
            + b"\x28\0\x08\0IS"
            + len(wrong).to_bytes(2, "little")
            + wrong
            + data[at + 10 : -100]
        )
        with pytest.raises(SweepError) as caught:
            read_sweep(path)
        assert caught.value.__cause__ is None
        texts.append(str(caught.value))
    texts += [caplog.text, *(str(warning.message) for warning in recwarn)]

    assert not any(secret in text for text in texts for secret in ("Doe", "Jane", "12345"))


def test_the_logger_of_pydicom_is_left_as_it_was(save_dicom, volume):
    logger = logging.getLogger("pydicom")
    before = logger.level, pydicom.config.settings.reading_validation_mode

    read_sweep(save_dicom("a.dcm", volume))

    assert (logger.level, pydicom.config.settings.reading_validation_mode) == before


def test_threads_that_read_at_once_leave_the_settings_of_pydicom_as_they_were(save_dicom, volume):
    path = save_dicom("a.dcm", volume)
    logger = logging.getLogger("pydicom")
    before = logger.level, pydicom.config.settings.reading_validation_mode
    inside, others_done = threading.Event(), threading.Event()

    def early():  # opens first and closes before the other
        with file.opened(path):
            inside.set()
            others_done.wait(0.2)

    def late():
        inside.wait()
        with file.opened(path):
            others_done.set()
            threads[0].join(0.2)

    threads = [threading.Thread(target=target) for target in (early, late)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (logger.level, pydicom.config.settings.reading_validation_mode) == before


def deflate(path: Path, more: bytes = b"") -> Path:
    """Deflate the data set of an uncompressed file, with more, already deflated, in its middle."""
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    pixels = data.index(b"\xe0\x7f\x10\x00", start)
    plain, deflated = (u.encode() for u in ("1.2.840.10008.1.2.1\0", "1.2.840.10008.1.2.1.99"))
    meta = data[:start].replace(b"\x14\0" + plain, b"\x16\0" + deflated)
    meta = meta[:140] + (start - 144 + 2).to_bytes(4, "little") + meta[144:]
    deflater = zlib.compressobj(9, wbits=-15)
    first = deflater.compress(data[start:pixels]) + deflater.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(meta + first + more + deflater.compress(data[pixels:]) + deflater.flush())
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_deflated_file_is_read(save_dicom, volume, dtype):
    path = deflate(save_dicom("a.dcm", volume.astype(dtype) * 2, PixelSpacing=[0.2, 0.3]))
    plain = read_sweep(save_dicom("b.dcm", volume.astype(dtype) * 2))

    sweep = read_sweep(path)

    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_deflated
    assert np.array_equal(sweep.frames, plain.frames)
    assert sweep.spacing_mm == (0.2, 0.3)


@pytest.mark.parametrize("cut", [0.5, 0.9, 0.999])
def test_a_deflated_file_that_is_cut_is_refused(save_dicom, volume, cut):
    path = deflate(save_dicom("a.dcm", volume))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])

    with pytest.raises(SweepError, match=r"a\.dcm: expected a DICOM image"):
        read_sweep(path)


def test_a_deflated_file_is_inflated_only_as_far_as_a_sweep_can_be_large(
    save_dicom, volume, monkeypatch
):
    monkeypatch.setattr(file, "MAX_INFLATED_BYTES", 2 << 20)
    deflater = zlib.compressobj(9, wbits=-15)
    megabyte = deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    private = b"\x09\x00\x10\x00UN\0\0" + (100 << 20).to_bytes(4, "little")
    path = deflate(save_dicom("a.dcm", volume), stored(private) + megabyte * 100)
    inflated = []
    inflate = file._inflate
    monkeypatch.setattr(
        file,
        "_inflate",
        lambda *given: (inflated.append(len(data)) or data for data in inflate(*given)),
    )

    with pytest.raises(SweepError, match=r"a\.dcm: .* at most 2 MB, found more"):
        read_sweep(path)
    assert sum(inflated) <= 3 << 20


def stored(data: bytes) -> bytes:
    """Return a deflate block that holds data as they are (RFC 1951, section 3.2.4)."""
    return (
        b"\0" + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data
    )


def test_gdcm_is_never_used(save_dicom, volume, monkeypatch):
    decoder = compressed_frames.get_decoder(uid.HTJ2K)
    monkeypatch.setattr(decoder, "_available", {"gdcm": lambda *_: pytest.fail("used")})

    with pytest.raises(SweepError, match="no decoder"):
        read_sweep(save_dicom("a.dcm", volume, uid.HTJ2K, PixelData=encapsulate([b"data"] * 7)))


def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path, count_refused_cuts):
    source = Path(get_testdata_file("SC_rgb_small_odd_jpeg.dcm"))
    path = tmp_path / "a.dcm"
    path.write_bytes(source.read_bytes())

    lengths = range(1, path.stat().st_size, 61)
    assert count_refused_cuts(path, read_sweep(source).frames, lengths) > 10
