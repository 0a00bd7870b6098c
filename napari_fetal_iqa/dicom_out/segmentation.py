"""The outlines of a volume as a DICOM Segmentation (PS3.3, A.51).

Written with pydicom: highdicom 0.28 makes none of images without a frame of reference, which
multi-frame ultrasound is. It reads what is written here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import UID

from napari_fetal_iqa.dicom_out.evidence import (
    MAKER,
    OF_PATIENT_AND_STUDY,
    Evidence,
    FrameReference,
    meta_of,
)
from napari_fetal_iqa.io.formats.dicom.own_uids import own_uid
from napari_fetal_iqa.version import TOOL_VERSION

SEGMENTATION: Final = UID("1.2.840.10008.5.1.4.1.1.66.4")
_LONGEST_NAME: Final = 64
"""Characters of an LO."""


def segmentation(
    evidence: Evidence,
    masks: Mapping[int, NDArray[np.bool_]],
    who: str,
    models: str,
    made_at: datetime,
    number: int = 1,
) -> Dataset:
    """Make a segmentation of the abdomen.

    Parameters
    ----------
    evidence : Evidence
    masks : mapping of int to (H, W) bool array
        By 0-based frame of the volume; at least one.
    who : "AUTOMATIC", "SEMIAUTOMATIC" or "MANUAL"
        Whether models, both or people drew them.
    models : str
        What the models are called; none where people drew all.
    made_at : datetime
    number : int
        Of the instance within its series.

    Returns
    -------
    Dataset
        With file meta information.
    """
    frames = sorted(masks)
    stack = np.stack([masks[frame] for frame in frames])
    references = [evidence.of_frame(frame) for frame in frames]
    first = evidence.images[0]
    new = Dataset()
    for keyword in OF_PATIENT_AND_STUDY:
        if keyword in first:
            setattr(new, keyword, first.get(keyword))
    bits = np.packbits(stack.reshape(-1), bitorder="little").tobytes()
    new.SOPClassUID = SEGMENTATION
    new.SOPInstanceUID = own_uid(
        "segmentation", first.SOPInstanceUID, str(frames), bits, who, models, made_at.isoformat()
    )
    new.SeriesInstanceUID = own_uid("series", "segmentation", first.StudyInstanceUID, str(made_at))
    new.Modality, new.SeriesNumber, new.InstanceNumber = "SEG", 501, number
    new.SeriesDescription = "Fetal abdomen"
    set_equipment(new, made_at)
    new.ImageType = ["DERIVED", "PRIMARY"]
    new.PatientOrientation = None
    new.ContentLabel, new.ContentDescription = "ABDOMEN", "Outlines of the fetal abdomen"
    new.ContentCreatorName = None
    new.SegmentationType, new.SegmentsOverlap = "BINARY", "NO"
    new.LossyImageCompression = "00"
    new.NumberOfFrames, new.Rows, new.Columns = stack.shape
    new.SamplesPerPixel, new.PhotometricInterpretation = 1, "MONOCHROME2"
    new.BitsAllocated = new.BitsStored = 1
    new.HighBit = new.PixelRepresentation = 0
    new.PixelData = bits + bytes(len(bits) % 2)
    new["PixelData"].VR = "OB"
    new.SegmentSequence = Items([_segment(who, models)])
    new.ReferencedSeriesSequence = Items(_referenced_series(references))
    organisation = Dataset()
    organisation.DimensionOrganizationUID = own_uid("dimensions", new.SOPInstanceUID)
    new.DimensionOrganizationSequence = Items([organisation])
    new.DimensionIndexSequence = Items(
        [
            _dimension(organisation, "ReferencedSegmentNumber", "SegmentIdentificationSequence"),
            _dimension(organisation, "TemporalPositionIndex", "FrameContentSequence"),
        ]
    )
    shared, identification = Dataset(), Dataset()
    identification.ReferencedSegmentNumber = 1
    shared.SegmentIdentificationSequence = Items([identification])
    new.SharedFunctionalGroupsSequence = Items([shared])
    new.PerFrameFunctionalGroupsSequence = Items(
        [_of_frame(frame + 1, of) for frame, of in zip(frames, references, strict=True)]
    )
    new.file_meta = meta_of(new)
    return new


def set_equipment(dataset: Dataset, made_at: datetime) -> None:
    """Set what made an object, and when."""
    dataset.Manufacturer = dataset.ManufacturerModelName = MAKER
    dataset.SoftwareVersions = TOOL_VERSION
    dataset.DeviceSerialNumber = "none"
    for keyword in ("InstanceCreation", "Series", "Content"):
        setattr(dataset, f"{keyword}Date", made_at.strftime("%Y%m%d"))
        setattr(dataset, f"{keyword}Time", made_at.strftime("%H%M%S"))


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a coded concept."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _segment(who: str, models: str) -> Dataset:
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel = 1, "Fetal abdomen"
    segment.SegmentedPropertyCategoryCodeSequence = Items(
        [code("91723000", "SCT", "Anatomical Structure")]
    )
    segment.SegmentedPropertyTypeCodeSequence = Items([code("818981001", "SCT", "Abdomen")])
    segment.SegmentAlgorithmType = who
    if who != "MANUAL":
        segment.SegmentAlgorithmName = models[:_LONGEST_NAME] or MAKER
    return segment


def _dimension(organisation: Dataset, index: str, within: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organisation.DimensionOrganizationUID
    item.DimensionIndexPointer, item.FunctionalGroupPointer = Tag(index), Tag(within)
    return item


def _of_frame(position: int, reference: FrameReference) -> Dataset:
    """Return the functional groups of a frame: which one it is, and of what it was drawn."""
    content, derivation, source, group = Dataset(), Dataset(), reference_to(reference), Dataset()
    content.DimensionIndexValues = [1, position]
    content.TemporalPositionIndex = position
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = Items(
        [code("121322", "DCM", "Source Image for Image Processing Operation")]
    )
    derivation.SourceImageSequence = Items([source])
    derivation.DerivationCodeSequence = Items([code("113076", "DCM", "Segmentation")])
    group.FrameContentSequence = Items([content])
    group.DerivationImageSequence = Items([derivation])
    return group


def reference_to(reference: FrameReference) -> Dataset:
    """Return a reference to a frame of an image."""
    item = Dataset()
    item.ReferencedSOPClassUID = reference.image.SOPClassUID
    item.ReferencedSOPInstanceUID = reference.image.SOPInstanceUID
    if reference.frame is not None:
        item.ReferencedFrameNumber = reference.frame
    return item


def _referenced_series(references: list[FrameReference]) -> list[Dataset]:
    """Return the images of the frames, each once, by their series."""
    images = {one.image.SOPInstanceUID: one.image for one in references}
    series: dict[str, Dataset] = {}
    for image in images.values():
        item = series.setdefault(image.SeriesInstanceUID, Dataset())
        item.SeriesInstanceUID = image.SeriesInstanceUID
        if "ReferencedInstanceSequence" not in item:
            item.ReferencedInstanceSequence = Items()
        item.ReferencedInstanceSequence.append(reference_to(FrameReference(image, None)))
    return list(series.values())
