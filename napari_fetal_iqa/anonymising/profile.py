"""The header of a DICOM copy, by the basic application level confidentiality profile and stricter.

The profile (PS3.15, table E.1-1) lists what may say who somebody is; its table comes from
dicom-anonymizer. A scanner may write a name into any other text as well, so of what the profile
leaves this keeps numbers alone: no text, no dates, no private elements, no bytes, and of sequences
those that calibrate the picture. What DICOM asks for besides is written anew.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from pydicom import DataElement, Dataset, Sequence
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import IS, DSfloat

from napari_fetal_iqa.anonymising.pseudonyms import Pseudonyms
from napari_fetal_iqa.io.formats.dicom.own_uids import MADE_BY
from napari_fetal_iqa.version import TOOL_VERSION

US_IMAGE, US_MULTI_FRAME = (
    UID("1.2.840.10008.5.1.4.1.1.6.1"),
    UID("1.2.840.10008.5.1.4.1.1.3.1"),
)
CAPTURE, MULTI_FRAME_CAPTURE = (
    UID("1.2.840.10008.5.1.4.1.1.7"),
    UID("1.2.840.10008.5.1.4.1.1.7.2"),
)
_TABLE: Final = "dicomfields_2026c"
_NUMBERS: Final = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV"})
_SEQUENCES: Final = frozenset(
    {
        "SequenceOfUltrasoundRegions",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "PixelMeasuresSequence",
    }
)
_KEPT_OF: Final = {
    0x0020: {"SeriesNumber", "InstanceNumber"},
    0x0028: {"PixelSpacing", "LossyImageCompressionRatio"},
}
"""Of groups that describe what the copy has not: another space, and pixels as they were stored."""
_UIDS: Final = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_LAST_TECHNICAL_GROUP: Final = 0x0050
_FUNCTIONAL_GROUPS: Final = 0x5200


@cache
def _profile() -> frozenset[int]:
    """Return the tags that the profile wants removed, emptied or replaced; no patterns."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    every = dicom_anonymization_database_selector(_TABLE)["ALL_TAGS"]
    return frozenset(tag[0] << 16 | tag[1] for tag in every if len(tag) == 2)


def deidentified(
    source: Dataset, pseudonyms: Pseudonyms, frames: int, pixels_clean: bool
) -> Dataset:
    """Make the header of a copy, without pixels.

    Parameters
    ----------
    source : Dataset
        As read; not changed.
    pseudonyms : Pseudonyms
    frames : int
        Of the copy.
    pixels_clean : bool
        Whether writing was looked for everywhere, beside the fan and over it, and blacked. Where
        it was not, the header says that some may be there.
    """
    new = _numbers_of(source)
    for keyword in _UIDS:
        if old := str(_value(source, keyword) or ""):
            setattr(new, keyword, pseudonyms.uid(old))
    for keyword in _UIDS:
        if keyword not in new:
            setattr(new, keyword, pseudonyms.uid(f"no {keyword}"))
    _set_class(new, str(_value(source, "SOPClassUID") or ""), frames)
    new.PatientName = ""
    new.PatientID = pseudonyms.patient(str(_value(source, "PatientID") or ""))
    for keyword in (
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
        "Manufacturer",
        "SeriesNumber",
        "InstanceNumber",
        "Laterality",
        "PatientOrientation",
    ):
        if keyword not in new:
            setattr(new, keyword, None)
    new.Modality = "US"
    new.ImageType = ["DERIVED", "PRIMARY"]
    if str(_value(source, "LossyImageCompression")) == "01":
        new.LossyImageCompression = "01"
    elif "LossyImageCompressionRatio" in new:
        del new.LossyImageCompressionRatio
    new.PatientIdentityRemoved = "YES"
    new.BurnedInAnnotation = "NO" if pixels_clean else "YES"
    new.LongitudinalTemporalInformationModified = "REMOVED"
    new.DeidentificationMethodCodeSequence = Sequence(_methods(pixels_clean))
    new.SoftwareVersions = f"napari-fetal-iqa {TOOL_VERSION}"
    new.file_meta = FileMetaDataset()
    new.file_meta.MediaStorageSOPClassUID = new.SOPClassUID
    new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    new.file_meta.ImplementationClassUID = MADE_BY
    return new


def _set_class(new: Dataset, old: str, frames: int) -> None:
    """Set the class: ultrasound stays so, and all else is a secondary capture of grey bytes."""
    if old in (US_IMAGE, US_MULTI_FRAME):
        new.SOPClassUID = US_IMAGE if frames == 1 else US_MULTI_FRAME
        return
    new.SOPClassUID = CAPTURE if frames == 1 else MULTI_FRAME_CAPTURE
    new.ConversionType = "WSD"
    if frames > 1:  # PS3.3, C.8.6.3
        new.PresentationLUTShape, new.RescaleType = "IDENTITY", "US"
        new.RescaleIntercept, new.RescaleSlope = 0, 1


def _methods(pixels_clean: bool) -> Iterator[Dataset]:
    """Codes of what was done (PS3.16, CID 7050)."""
    codes = [("113100", "Basic Application Confidentiality Profile")]
    if pixels_clean:
        codes.append(("113101", "Clean Pixel Data Option"))
    for value, meaning in codes:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        yield code


def _value(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an element; None where it is missing or damaged."""
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom converts when it is asked, and damaged text raises all kinds
        return None


def _numbers_of(dataset: Dataset) -> Dataset:
    """Return the numbers of a data set that no profile minds, and the regions of the picture."""
    new = Dataset()
    for tag in dataset.keys():  # noqa: SIM118 - iterating a data set converts its elements
        keyword = keyword_for_tag(tag)
        if not keyword or tag.is_private or tag in _profile():
            continue
        if keyword not in _KEPT_OF.get(tag.group, {keyword}):
            continue
        if tag.group > _LAST_TECHNICAL_GROUP and tag.group != _FUNCTIONAL_GROUPS:
            continue
        try:
            element = _kept(dataset[tag], keyword)
        except Exception:  # damaged, so that it says nothing
            continue
        if element is not None:
            new.add(element)
    return new


def _kept(element: DataElement, keyword: str) -> DataElement | None:
    if keyword in _SEQUENCES:
        items = [_numbers_of(item) for item in element.value]
        return DataElement(element.tag, "SQ", Sequence(items)) if any(items) else None
    if element.VR not in _NUMBERS or dictionary_VR(element.tag) != element.VR:
        return None
    if element.is_empty:
        return None
    values = [element.value] if element.VM == 1 else list(element.value)
    numbers: list[Any] = [float(value) for value in values]
    if element.VR == "DS":
        numbers = [DSfloat(number, auto_format=True) for number in numbers]
    elif element.VR == "IS":
        numbers = [IS(int(number)) for number in numbers]
    elif element.VR not in ("FL", "FD"):
        numbers = [int(value) for value in values]
    return DataElement(element.tag, element.VR, numbers if len(numbers) > 1 else numbers[0])
