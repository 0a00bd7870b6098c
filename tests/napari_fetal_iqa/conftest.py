"""Volumes that tests of several folders write and read, and a reader without permissions."""

import os

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset


@pytest.fixture
def volume() -> np.ndarray:
    """(7, 24, 32) uint8 with all grey values, no two frames alike, black at the corners."""
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (7, 24, 32), np.uint8)
    frames[:, :4, :4] = 0
    return frames


@pytest.fixture
def smooth_volume() -> np.ndarray:
    """(7, 48, 64) uint8 that lossy codecs keep well: a blob that moves over a ramp."""
    rows, columns = np.mgrid[:48, :64]
    frames = [
        40 + columns + 120 * np.exp(-((rows - 24) ** 2 + (columns - 10 - 6 * n) ** 2) / 150)
        for n in range(7)
    ]
    return np.rint(frames).astype(np.uint8)


@pytest.fixture
def as_nobody(tmp_path):
    """Tests may run as root, whom no permission stops."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no user ids")
    if os.geteuid() == 0:
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


@pytest.fixture
def save_dicom(tmp_path):
    """Write (T, H, W) or (T, H, W, 3) frames as an ultrasound DICOM file by pydicom."""

    def save(name, frames, syntax=uid.ExplicitVRLittleEndian, **attributes):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = syntax
        meta.MediaStorageSOPClassUID = uid.UltrasoundMultiFrameImageStorage
        meta.MediaStorageSOPInstanceUID = uid.generate_uid()
        dataset = FileDataset(
            path,
            {},
            file_meta=meta,
            preamble=b"\0" * 128,
            is_implicit_VR=syntax.is_implicit_VR,
            is_little_endian=syntax.is_little_endian,
        )
        dataset.SOPClassUID = meta.MediaStorageSOPClassUID
        dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        dataset.PatientName, dataset.PatientID = "Doe^Jane", "12345"
        dataset.Modality = "US"
        dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape[:3]
        dataset.SamplesPerPixel = frames.shape[3] if frames.ndim == 4 else 1
        dataset.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = dataset.BitsStored = 8 * frames.dtype.itemsize
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = int(frames.dtype.kind == "i")
        for key, value in attributes.items():
            setattr(dataset, key, value)
        order = "<" if syntax.is_little_endian else ">"
        data = frames.astype(frames.dtype.newbyteorder(order)).tobytes()
        dataset.PixelData = attributes.get("PixelData", data)
        in_bytes = frames.itemsize == 1 and not syntax.is_little_endian
        dataset["PixelData"].VR = "OB" if syntax.is_encapsulated or in_bytes else "OW"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return save
