"""What was measured in a case as a Comprehensive SR by TID 5000, OB-GYN ultrasound (PS3.16)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.uid import UID

from napari_fetal_iqa.dicom_out.content_items import (
    Concept,
    Relation,
    coded,
    container,
    identifier,
    image,
    number,
    person,
    text,
)
from napari_fetal_iqa.dicom_out.evidence import (
    MAKER,
    OF_PATIENT_AND_STUDY,
    Evidence,
    FrameReference,
    meta_of,
)
from napari_fetal_iqa.dicom_out.findings import Findings, Place
from napari_fetal_iqa.dicom_out.segmentation import reference_to, set_equipment
from napari_fetal_iqa.geometry.caliper import CaliperMeasure
from napari_fetal_iqa.io.formats.dicom.own_uids import own_uid
from napari_fetal_iqa.review.examination.biometry import NamedMeasure
from napari_fetal_iqa.version import TOOL_VERSION

COMPREHENSIVE_SR: Final = UID("1.2.840.10008.5.1.4.1.1.88.33")
REPORT: Final[Concept] = ("125000", "DCM", "OB-GYN Ultrasound Procedure Report")
SUMMARY: Final[Concept] = ("121111", "DCM", "Summary")
BIOMETRY: Final[Concept] = ("125002", "DCM", "Fetal Biometry")
GROUP: Final[Concept] = ("125005", "DCM", "Biometry Group")
CIRCUMFERENCE: Final[Concept] = ("11979-2", "LN", "Abdominal Circumference")
MEASURES: Final[dict[CaliperMeasure, Concept]] = {
    CaliperMeasure.HC: ("11984-2", "LN", "Head Circumference"),
    CaliperMeasure.BPD: ("11820-8", "LN", "Biparietal Diameter"),
    CaliperMeasure.OFD: ("11851-3", "LN", "Occipital-Frontal Diameter"),
    CaliperMeasure.FL: ("11963-6", "LN", "Femur Length"),
}
WEIGHT: Final[Concept] = ("11727-5", "LN", "Estimated Weight")
AGE: Final[Concept] = ("18185-9", "LN", "Gestational Age")
RANK: Final[Concept] = ("125012", "DCM", "Growth Percentile Rank")
Z_SCORE: Final[Concept] = ("125013", "DCM", "Growth Z-score")
DERIVATION: Final[Concept] = ("121401", "DCM", "Derivation")
MEASURED: Final[Concept] = ("258104002", "SCT", "Measured")
CALCULATED: Final[Concept] = ("258090004", "SCT", "Calculated")
MEAN: Final[Concept] = ("373098007", "SCT", "Mean")
EQUATION: Final[Concept] = ("121420", "DCM", "Equation")
CITATION: Final[Concept] = ("121421", "DCM", "Equation Citation")
AGE_BY_HADLOCK: Final[Concept] = ("11892-7", "LN", "AC, Hadlock 1984")
GROWTH_BY_HADLOCK: Final[Concept] = ("33146-2", "LN", "AC by GA, Hadlock 1984")
COMMENT: Final[Concept] = ("121106", "DCM", "Comment")
MILLIMETRES: Final[Concept] = ("mm", "UCUM", "mm")
GRAMS: Final[Concept] = ("g", "UCUM", "g")
DAYS: Final[Concept] = ("d", "UCUM", "day")
PERCENT: Final[Concept] = ("%", "UCUM", "%")
RATIO: Final[Concept] = ("1", "UCUM", "no units")
SOURCE: Final[Concept] = ("121112", "DCM", "Source of Measurement")


def structured_report(
    evidence: Sequence[Evidence],
    findings: Findings,
    reviewer: str,
    made_at: datetime,
) -> Dataset:
    """Make the report of a case.

    It is complete, and neither verified nor final: no physician has signed it.

    Parameters
    ----------
    evidence : sequence of Evidence
        One a volume of the case.
    findings : Findings
    reviewer : str
        Empty where nobody reviewed.
    made_at : datetime

    Returns
    -------
    Dataset
        With file meta information.
    """
    first = evidence[0].images[0]
    study, moment = first.StudyInstanceUID, made_at.isoformat()
    new = container(REPORT, [], None)
    for keyword in OF_PATIENT_AND_STUDY:
        if keyword in first:
            setattr(new, keyword, first.get(keyword))
    new.SOPClassUID = COMPREHENSIVE_SR
    new.SOPInstanceUID = own_uid("report", study, repr(findings), reviewer, moment)
    new.SeriesInstanceUID = own_uid("series", "report", study, moment)
    new.Modality, new.SeriesNumber, new.InstanceNumber = "SR", 502, 1
    new.SeriesDescription = "Fetal abdominal circumference"
    if "SpecificCharacterSet" not in new:
        new.SpecificCharacterSet = "ISO_IR 192"  # the reviewer's name may need it
    set_equipment(new, made_at)
    new.ReferencedPerformedProcedureStepSequence = Items()
    new.PerformedProcedureCodeSequence = Items()
    new.CompletionFlag, new.PreliminaryFlag = "COMPLETE", "PRELIMINARY"
    new.VerificationFlag = "UNVERIFIED"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "5000"
    new.ContentTemplateSequence = Items([template])
    content = _context(reviewer)
    summary = []
    if findings.dating is not None:
        summary.append(number(AGE, findings.dating.days, DAYS))
        summary.append(text(COMMENT, f"By dates: {findings.dating}"))
    for one in findings.weights:
        by = text(CITATION, f"{one.formula}, {one.citation}", "INFERRED FROM")
        summary.append(number(WEIGHT, round(one.grams), GRAMS, [by]))
    if summary:
        content.append(container(SUMMARY, summary))
    groups = [container(GROUP, _biometry(evidence, findings))]
    groups += [container(GROUP, [_measure(evidence, one)]) for one in findings.measures]
    content.append(container(BIOMETRY, groups))
    new.ContentSequence = Items(content)
    new.CurrentRequestedProcedureEvidenceSequence = Items([_evidence(evidence, study)])
    new.file_meta = meta_of(new)
    return new


def _evidence(evidence: Sequence[Evidence], study: str) -> Dataset:
    """Return every image of the case by study and series (PS3.3, C.17.2)."""
    series: dict[str, Dataset] = {}
    for one in evidence:
        for of in one.images:
            item = series.setdefault(of.SeriesInstanceUID, Dataset())
            item.SeriesInstanceUID = of.SeriesInstanceUID
            if "ReferencedSOPSequence" not in item:
                item.ReferencedSOPSequence = Items()
            item.ReferencedSOPSequence.append(reference_to(FrameReference(of, None)))
    whole = Dataset()
    whole.StudyInstanceUID = study
    whole.ReferencedSeriesSequence = Items(list(series.values()))
    return whole


def _context(reviewer: str) -> list[Dataset]:
    """Return the language, and who observed: this program, and the reviewer where there is one.

    TID 1204, 1002, 1003 and 1004.
    """
    context: Relation = "HAS OBS CONTEXT"
    kind = ("121005", "DCM", "Observer Type")
    language = ("121049", "DCM", "Language of Content Item and Descendants")
    items = [coded(language, ("en", "RFC5646", "English"), "HAS CONCEPT MOD")]
    if reviewer:
        items.append(coded(kind, ("121006", "DCM", "Person"), context))
        name = ("121008", "DCM", "Person Observer Name")
        items.append(person(name, _person_name(reviewer), context))
    items.append(coded(kind, ("121007", "DCM", "Device"), context))
    device = own_uid("device", MAKER, TOOL_VERSION)
    items.append(identifier(("121012", "DCM", "Device Observer UID"), device, context))
    items.append(text(("121013", "DCM", "Device Observer Name"), MAKER, context))
    model = ("121015", "DCM", "Device Observer Model Name")
    items.append(text(model, f"{MAKER} {TOOL_VERSION}", context))
    return items


def _person_name(reviewer: str) -> str:
    """Return a name whose signs are no structure of a PN, of at most 64 characters."""
    plain = "".join(" " if sign in "^=\\" or not sign.isprintable() else sign for sign in reviewer)
    return plain.strip()[:63] + "^"


def _biometry(evidence: Sequence[Evidence], findings: Findings) -> list[Dataset]:
    how = MEAN if findings.averaged else CALCULATED
    items = [_circumference(evidence, findings.circumference_mm, findings.used, how)]
    if findings.best is not None:
        items.append(_circumference(evidence, findings.best[1], [findings.best[0]], CALCULATED))
    if findings.age_from_circumference_days is not None:
        by = coded(EQUATION, AGE_BY_HADLOCK, "INFERRED FROM")
        items.append(number(AGE, findings.age_from_circumference_days, DAYS, [by]))
    if findings.standing is not None and findings.chart is not None:
        rank = min(max(round(findings.standing.centile, 1), 0.1), 99.9)
        for name, value, unit in (
            (RANK, rank, PERCENT),
            (Z_SCORE, round(findings.standing.z, 2), RATIO),
        ):
            by = (
                coded(EQUATION, GROWTH_BY_HADLOCK, "INFERRED FROM")
                if findings.chart.author == "hadlock"
                else text(CITATION, findings.chart.citation, "INFERRED FROM")
            )
            items.append(number(name, value, unit, [by]))
    return items + [text(COMMENT, note) for note in findings.notes]


def _circumference(
    evidence: Sequence[Evidence], value_mm: float, places: Sequence[Place], derivation: Concept
) -> Dataset:
    """Return a circumference, how it came about, and the frames that it was measured on."""
    return _length(CIRCUMFERENCE, evidence, value_mm, places, derivation)


def _measure(evidence: Sequence[Evidence], one: NamedMeasure) -> Dataset:
    """Return what calipers of one name measure."""
    how = MEAN if len(one.places) > 1 else MEASURED
    return _length(MEASURES[one.measure], evidence, one.value_mm, one.places, how)


def _length(
    name: Concept,
    evidence: Sequence[Evidence],
    value_mm: float,
    places: Sequence[Place],
    derivation: Concept,
) -> Dataset:
    children = [coded(DERIVATION, derivation, "HAS CONCEPT MOD")]
    found: dict[str, Dataset] = {}
    for volume, frame in places:
        reference = evidence[volume].of_frame(frame)
        whole = reference_to(FrameReference(reference.image, None))
        item = found.setdefault(reference.image.SOPInstanceUID, whole)
        if reference.frame is not None:
            before = item.get("ReferencedFrameNumber")
            known = [] if before is None else [before] if isinstance(before, int) else list(before)
            item.ReferencedFrameNumber = [*known, reference.frame]
    children += [image(SOURCE, item, "INFERRED FROM") for item in found.values()]
    return number(name, round(value_mm, 1), MILLIMETRES, children)
