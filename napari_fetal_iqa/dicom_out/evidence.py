"""The images that results refer to: those of the source, or ones made of other formats.

An image that is made has no patient: its study, series and instances are named by their pixels.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.dicom_images import dicom_images
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.formats.dicom.data_set import read_data_set, saying_nothing
from napari_fetal_iqa.io.formats.dicom.own_uids import MADE_BY, own_uid
from napari_fetal_iqa.io.formats.dicom.pixel_module import set_grey_frames
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.version import TOOL_VERSION

MAKER: Final = "napari-fetal-iqa"
OF_PATIENT_AND_STUDY: Final = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_NEEDED: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
US_MULTI_FRAME: Final = UID("1.2.840.10008.5.1.4.1.1.3.1")
US_IMAGE: Final = UID("1.2.840.10008.5.1.4.1.1.6.1")


@dataclass(frozen=True)
class FrameReference:
    """Where a frame of a sweep is found among DICOM images.

    Parameters
    ----------
    image : Dataset
    frame : int or None
        1-based; None in an image of one frame.
    """

    image: Dataset
    frame: int | None


@dataclass(frozen=True)
class Evidence:
    """The images of one volume of a case.

    Parameters
    ----------
    images : tuple of Dataset
        In the order of the volume's frames; without pixels, unless they were made.
    counts : tuple of int
        Frames of each image.
    made : bool
        Of another format, so that they have to be passed on with the results.
    """

    images: tuple[Dataset, ...]
    counts: tuple[int, ...]
    made: bool

    def of_frame(self, frame: int) -> FrameReference:
        """Return where a 0-based frame of the volume lies."""
        for image, count in zip(self.images, self.counts, strict=True):
            if frame < count:
                return FrameReference(image, frame + 1 if count > 1 else None)
            frame -= count
        raise IndexError("no such frame")


def evidence_of_case(
    sources: Sequence[SweepSource | None], sweeps: Sequence[SweepVolume]
) -> tuple[Evidence, ...]:
    """Find or make the images of a case's volumes; a source is None where it is in no file.

    Raises
    ------
    SweepError
        Where some are DICOM and others not, where they are of several studies, or where a header
        lacks what names it.
    """
    found = [[] if source is None else dicom_images(source) for source in sources]
    if any(found) and not all(found):
        raise SweepError("some sweeps of the case are DICOM and others not; export them apart")
    if not any(found):
        study = own_uid("study", *(sweep.identity for sweep in sweeps))
        return tuple(_made(sweep, number, study) for number, sweep in enumerate(sweeps, start=1))
    evidence = []
    for images, sweep in zip(found, sweeps, strict=True):
        if sum(count for _, count in images) != len(sweep):
            raise SweepError(
                f"{sweep.name}: its DICOM files do not say how many frames they hold, so that no "
                f"frame can be referred to; store it as uncompressed"
            )
        headers = tuple(_header(path) for path, _ in images)
        evidence.append(Evidence(headers, tuple(count for _, count in images), made=False))
    studies = {image.StudyInstanceUID for one in evidence for image in one.images}
    if len(studies) > 1:
        raise SweepError(
            f"the sweeps are of {len(studies)} studies; export the sweeps of one examination"
        )
    return tuple(evidence)


def _header(path: Path) -> Dataset:
    """Return what results take over from an image: who, which study, and how it is named."""
    whole = read_data_set(path)
    header = Dataset()
    with saying_nothing():
        for keyword in (
            *OF_PATIENT_AND_STUDY,
            *_NEEDED,
            "Rows",
            "Columns",
            "NumberOfFrames",
            "BurnedInAnnotation",
        ):
            with suppress(Exception):  # what is damaged is as if it were not there
                if (value := whole.get(keyword)) is not None:
                    setattr(header, keyword, value)
    if missing := [keyword for keyword in _NEEDED if not header.get(keyword)]:
        raise SweepError(
            f"{path.name}: has no {' and no '.join(missing)}, so that nothing can refer to it; "
            f"ask for another export of the study"
        )
    for keyword in OF_PATIENT_AND_STUDY[1:]:
        if keyword not in header and keyword != "IssuerOfPatientID":
            setattr(header, keyword, None)
    return header


def _made(sweep: SweepVolume, number: int, study: UID) -> Evidence:
    """Make an image of each sweep of a volume, in one series."""
    images = []
    for part, (start, stop) in enumerate(sweep.bounds, start=1):
        frames = np.stack([np.asarray(sweep.frames[frame]) for frame in range(start, stop)])
        image = Dataset()
        image.SOPClassUID = US_MULTI_FRAME if len(frames) > 1 else US_IMAGE
        image.SOPInstanceUID = own_uid("image", sweep.identity, str(start), str(stop))
        image.StudyInstanceUID = study
        image.SeriesInstanceUID = own_uid("series", "image", study, sweep.identity)
        for keyword in OF_PATIENT_AND_STUDY[1:]:
            if keyword not in image and keyword != "IssuerOfPatientID":
                setattr(image, keyword, None)
        image.Modality, image.Manufacturer = "US", None
        image.SeriesNumber, image.InstanceNumber = number, part
        image.Laterality = image.PatientOrientation = None
        image.ImageType = ["DERIVED", "PRIMARY"]
        if sweep.simulated:
            image.SeriesDescription = "Simulated, no patient"
        image.SoftwareVersions = f"{MAKER} {TOOL_VERSION}"
        if sweep.spacing_mm is not None:
            image.SequenceOfUltrasoundRegions = Items([_region(sweep)])
        set_grey_frames(image, frames, sweep.frames_per_second)
        image.file_meta = meta_of(image)
        images.append(image)
    counts = tuple(stop - start for start, stop in sweep.bounds)
    return Evidence(tuple(images), counts, made=True)


def _region(sweep: SweepVolume) -> Dataset:
    """Return the whole frame as a calibrated region (PS3.3, C.8.5.5)."""
    row_mm, column_mm = sweep.spacing_mm or (0.0, 0.0)
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = sweep.shape[2] - 1, sweep.shape[1] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
    region.PhysicalDeltaX, region.PhysicalDeltaY = column_mm / 10, row_mm / 10
    return region


def meta_of(dataset: Dataset) -> FileMetaDataset:
    """Return the file meta information of an object of this program."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = MADE_BY
    return meta
