"""Names planted in every place of every format: none comes through into any copy."""

import itertools
import re

import av
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image, PngImagePlugin
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from napari_fetal_iqa.io import read_sweep, write_volume

from ..anonymising.fans import fan_area, fan_frames
from ..dicom_validator import errors_of

NAME = "Zyxwvut"
"""No part of any format, in any case."""

NUMBER = "70912345"


def found_in(data: bytes) -> list[str]:
    """Encodings in which the planted name or number is in some bytes."""
    found = []
    for text, encoding in itertools.product(
        (NAME, NUMBER), ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "cp037")
    ):
        pattern = re.compile(re.escape(text.encode(encoding)), re.IGNORECASE)
        swapped = b"".join(
            data[at + 1 : at + 2] + data[at : at + 1] for at in range(0, len(data), 2)
        )
        if pattern.search(data) or pattern.search(swapped):
            found.append(f"{text} as {encoding}")
    return found


def by_dicom(path, **changes):
    dataset = pydicom.Dataset()
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = uid.UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.{NUMBER}.3"
    meta.SourceApplicationEntityTitle = NAME
    meta.PrivateInformationCreatorUID = f"1.2.{NUMBER}.9"
    meta.PrivateInformation = NAME.encode()
    dataset.file_meta = meta
    frames = fan_frames()
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = f"1.2.{NUMBER}.1"
    dataset.SeriesInstanceUID = f"1.2.{NUMBER}.2"
    dataset.Modality = "US"
    dataset.FrameTime = 33.3
    dataset.PixelSpacing = [0.4, 0.3]
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 127, 95
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.03, 0.04
    region.add_new(0x00180010, "LO", NAME)
    dataset.SequenceOfUltrasoundRegions = Sequence([region])
    dataset.PixelData = frames.tobytes()
    # A name in every text, date, number and UID that the dictionary knows, and in sequences.
    plant_everywhere(dataset)
    code = Dataset()
    plant_everywhere(code)
    dataset.ProcedureCodeSequence = Sequence([code])
    inner = Dataset()
    inner.ReferencedImageSequence = Sequence([code])
    dataset.RequestAttributesSequence = Sequence([inner])
    block = dataset.private_block(0x0029, f"{NAME} PRIVATE", create=True)
    block.add_new(1, "LO", NAME)
    block.add_new(2, "UN", NAME.encode("utf-16-le"))
    block.add_new(3, "SQ", [code])
    dataset.add_new(0x60000022, "LO", NAME)
    dataset.add_new(0x60004000, "LT", NAME)
    dataset.add_new(0xFFFCFFFC, "OB", NAME.encode())
    dataset.preamble = (NAME.encode() * 20)[:128]
    with pydicom.config.disable_value_validation():
        dataset.save_as(path, enforce_file_format=True)
        path.write_bytes(path.read_bytes() + NAME.encode())  # behind the data set
    return path


def plant_everywhere(dataset):
    """Set every element of the dictionary of text, bytes, a date or a UID."""
    texts = {"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
    with pydicom.config.disable_value_validation():
        for tag, (vr, _, _, _, keyword) in pydicom.datadict.DicomDictionary.items():
            if tag in dataset or not keyword or tag >> 16 in (0, 2, 0x28) or tag >> 16 > 0x7F00:
                continue
            if vr in texts:
                dataset.add_new(tag, vr, NAME)
            elif vr in ("DA", "DT", "TM"):
                dataset.add_new(tag, vr, NUMBER)
            elif vr == "UI":
                dataset.add_new(tag, vr, f"1.2.{NUMBER}.4")
            elif vr in ("OB", "UN"):
                dataset.add_new(tag, vr, NAME.encode() + b"\0")


def by_metaimage(path):
    write_volume(path, fan_frames(), (0.4, 0.3), compress=False)
    head, pixels = path.read_bytes().split(b"ElementDataFile = LOCAL\n", 1)
    fields = f"Comment = {NAME} {NUMBER}\nPatientName = {NAME}\nName = {NAME}\n".encode()
    path.write_bytes(head + fields + b"ElementDataFile = LOCAL\n" + pixels + NAME.encode())
    return path


def by_nrrd(path):
    frames = fan_frames()
    head = (
        f"NRRD0005\n# {NAME}\ntype: uint8\ndimension: 3\nsizes: 128 96 12\nencoding: raw\n"
        f"content: {NAME}\nspacings: 0.3 0.4 1\nPatient:={NAME} {NUMBER}\n\n"
    )
    path.write_bytes(head.encode() + frames.tobytes())
    return path


def by_nifti(path):
    image = nibabel.Nifti1Image(fan_frames().transpose(2, 1, 0), np.diag([0.3, 0.4, 1, 1]))
    image.header["descrip"] = NAME.encode()
    image.header["intent_name"] = NUMBER.encode()
    image.header["db_name"] = NAME.encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    nibabel.save(image, path)
    return path


def by_png(path):
    path.mkdir()
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", NAME)
    info.add_itxt("Comment", NAME, zip=True)
    exif = Image.Exif()
    exif[0x010E] = f"{NAME} {NUMBER}"
    for number, frame in enumerate(fan_frames()):
        name = path / f"{NAME}-{number:03}.png"
        Image.fromarray(frame).save(name, pnginfo=info, exif=exif)
    return path


def by_mp4(path):
    with av.open(path, "w") as video:
        video.metadata["title"] = video.metadata["comment"] = NAME
        stream = video.add_stream("mpeg4", rate=25)
        stream.height, stream.width = 96, 128
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 8_000_000
        stream.metadata["handler_name"] = NAME
        for grey in fan_frames():
            frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    return path


SOURCES = {
    "dcm": by_dicom,
    "mha": by_metaimage,
    "nrrd": by_nrrd,
    "nii.gz": by_nifti,
    "png": by_png,
    "mp4": by_mp4,
}
OUTS = ["copy.mha", "copy.nrrd", "copy.nii.gz", "copy"]


@pytest.fixture(params=SOURCES)
def planted(request, tmp_path):
    folder = tmp_path / f"{NAME} {NUMBER}"
    folder.mkdir()
    ending = "" if request.param == "png" else f".{request.param}"
    return SOURCES[request.param](folder / f"{NAME}{ending}")


def files_of(out):
    return [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]


def unpacked(path):
    """The bytes of a file, and those behind its compression."""
    import gzip

    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)


def test_no_planted_name_comes_through(planted, tmp_path, run):
    outs = [*OUTS, "copy.dcm"] if planted.suffix == ".dcm" else OUTS
    for name in outs:
        out, preview = tmp_path / "out" / name, tmp_path / "out" / f"{name}.preview.png"
        code, printed, errors = run("anonymise", planted, "--out", out, "--preview", preview)
        assert code == 0, errors
        files = [*files_of(out), preview]
        for path in files:
            assert not re.search(f"{NAME}|{NUMBER}", str(path.relative_to(tmp_path)))
            for data in unpacked(path):
                assert found_in(data) == []
        assert found_in((printed + errors).encode()) == []

        copy, source = read_sweep(out), read_sweep(planted)
        kept = np.asarray(copy.frames) > 0
        inside = fan_area() if planted.suffix != ".mp4" else source.field_of_view
        assert not kept[:, ~inside].any()
        assert np.array_equal(np.asarray(copy.frames)[kept], np.asarray(source.frames)[kept])
        assert kept.mean() > 0.9 * fan_area().mean()
        if name != "copy" or planted.suffix == ".dcm":
            assert source.spacing_mm is None or copy.spacing_mm == pytest.approx(source.spacing_mm)


def test_what_is_planted_would_be_found(planted):
    for path in files_of(planted):
        assert found_in(next(unpacked(path))) or any(found_in(data) for data in unpacked(path))


def save_frames(save_dicom, name, frames, **changes):
    return save_dicom(
        name,
        frames,
        StudyInstanceUID="1.2.3.1",
        SeriesInstanceUID="1.2.3.2",
        PixelSpacing=[0.4, 0.3],
        **changes,
    )


def test_copies_are_valid_and_belong_together_as_their_sources_do(save_dicom, tmp_path, run):
    frames = fan_frames()
    for number, frame in enumerate(frames, start=1):
        save_frames(save_dicom, f"case/{number}", frame[None], InstanceNumber=number)
    salt = tmp_path / "salt"
    headers = {}
    for out in ("a", "b", "c"):
        options = [] if out == "c" else ["--salt-file", salt]
        code, _, errors = run("anonymise", tmp_path / "case", "--out", tmp_path / out, *options)
        assert code == 0, errors
        headers[out] = [pydicom.dcmread(path) for path in sorted((tmp_path / out).iterdir())]

    assert np.array_equal(read_sweep(tmp_path / "a").frames, np.where(fan_area(), frames, 0))
    assert {header.StudyInstanceUID for header in headers["a"]} == {
        header.StudyInstanceUID for header in headers["b"]
    }
    assert headers["a"][0].StudyInstanceUID not in ("1.2.3.1", headers["c"][0].StudyInstanceUID)
    assert len({header.SOPInstanceUID for header in headers["a"]}) == len(frames)
    assert headers["a"][0].PatientID == headers["b"][0].PatientID != headers["c"][0].PatientID
    assert headers["a"][0].PatientID not in ("", "12345")
    assert salt.stat().st_mode & 0o077 == 0
    assert errors_of(tmp_path / "a" / "00001.dcm") == []


@pytest.mark.parametrize("changes", [{}, {"FrameTime": 33.3}], ids=["no times", "times"])
def test_a_copy_of_many_frames_is_valid(save_dicom, tmp_path, run, changes):
    save_frames(save_dicom, "a.dcm", fan_frames(), **changes)

    code, _, errors = run("anonymise", tmp_path / "a.dcm", "--out", tmp_path / "b.dcm")

    assert code == 0, errors
    assert errors_of(tmp_path / "b.dcm") == []
    assert read_sweep(tmp_path / "b.dcm").spacing_mm == (0.4, 0.3)


@pytest.mark.parametrize(
    ("source", "out", "why"),
    [
        ("a.dcm", "b.mp4", "cannot be written as this"),
        ("a.dcm", "a.dcm", "is the sweep itself"),
        ("a.mha", "b.dcm", "cannot be written as this"),
        ("a.mha", "full", "new or empty folder"),
        ("grey.mha", "b.mha", "no fan was found"),
        ("none.mha", "b.mha", "no such file"),
    ],
)
def test_what_cannot_be_copied_is_said_in_one_line_and_nothing_is_written(
    save_dicom, tmp_path, run, source, out, why
):
    save_frames(save_dicom, "a.dcm", fan_frames())
    write_volume(tmp_path / "a.mha", fan_frames())
    write_volume(tmp_path / "grey.mha", np.maximum(fan_frames(), 90))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    code, _, errors = run("anonymise", tmp_path / source, "--out", tmp_path / out)

    assert (code, len(errors.splitlines())) == (1, 1)
    assert why in errors
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def still(frames, kind):
    return frames[:1] if kind == "one frame" else np.repeat(frames[:1], 12, axis=0)


@pytest.mark.parametrize("kind", ["one frame", "twelve that are alike"])
def test_a_still_is_not_said_to_be_free_of_writing(save_dicom, tmp_path, run, kind):
    save_frames(save_dicom, "a.dcm", still(fan_frames(), kind))

    code, _, errors = run("anonymise", tmp_path / "a.dcm", "--out", tmp_path / "b.dcm")

    header = pydicom.dcmread(tmp_path / "b.dcm")
    assert (code, header.BurnedInAnnotation) == (0, "YES")
    assert [one.CodeValue for one in header.DeidentificationMethodCodeSequence] == ["113100"]
    assert "look at every frame" in errors
    assert errors_of(tmp_path / "b.dcm") == []


def test_a_sweep_whose_writing_was_looked_for_is_said_to_have_none(save_dicom, tmp_path, run):
    save_frames(save_dicom, "a.dcm", fan_frames())

    _, _, errors = run("anonymise", tmp_path / "a.dcm", "--out", tmp_path / "b.dcm")

    header = pydicom.dcmread(tmp_path / "b.dcm")
    assert header.BurnedInAnnotation == "NO"
    assert "113101" in [one.CodeValue for one in header.DeidentificationMethodCodeSequence]
    assert "look at every frame" not in errors


def test_a_preview_of_a_wrong_name_is_refused_before_anything_is_written(tmp_path, run):
    write_volume(tmp_path / "a.mha", fan_frames())

    code, _, errors = run(
        *("anonymise", tmp_path / "a.mha", "--out", tmp_path / "b.mha"),
        *("--preview", tmp_path / "p.jpg"),
    )

    assert (code, len(errors.splitlines())) == (1, 1)
    assert not (tmp_path / "b.mha").exists()


def test_pixels_beside_the_fan_are_kept_only_where_told(tmp_path, run):
    frames = np.maximum(fan_frames(), 90)
    write_volume(tmp_path / "grey.mha", frames)

    code, printed, _ = run(
        "anonymise", tmp_path / "grey.mha", "--out", tmp_path / "b.mha", "--keep-pixels"
    )

    assert code == 0
    assert "look at every frame" in printed
    assert np.array_equal(read_sweep(tmp_path / "b.mha").frames, frames)


def test_who_keeps_the_name_of_the_source_is_warned(tmp_path, run):
    write_volume(tmp_path / "doe.mha", fan_frames())

    code, _, errors = run("anonymise", tmp_path / "doe.mha", "--out", tmp_path / "doe-2.mha")

    assert (code, "rename the copy" in errors) == (0, True)


def test_a_file_that_is_no_salt_is_refused(tmp_path, run):
    write_volume(tmp_path / "a.mha", fan_frames())
    (tmp_path / "salt").write_text("abc")

    code, _, errors = run(
        "anonymise",
        tmp_path / "a.mha",
        "--out",
        tmp_path / "b.mha",
        "--salt-file",
        tmp_path / "salt",
    )

    assert code == 1
    assert "hexadecimal" in errors
    assert not (tmp_path / "b.mha").exists()
