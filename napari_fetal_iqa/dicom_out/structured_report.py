"""What was measured in a case as a Comprehensive SR by TID 5000, OB-GYN ultrasound (PS3.16)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ComprehensiveSR,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset

from napari_fetal_iqa.dicom_out.evidence import MAKER, Evidence
from napari_fetal_iqa.dicom_out.findings import Findings, Place
from napari_fetal_iqa.io.formats.dicom.own_uids import own_uid
from napari_fetal_iqa.version import TOOL_VERSION

CONTAINS = RelationshipTypeValues.CONTAINS
INFERRED = RelationshipTypeValues.INFERRED_FROM
MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD

REPORT: Final = CodedConcept("125000", "DCM", "OB-GYN Ultrasound Procedure Report")
SUMMARY: Final = CodedConcept("121111", "DCM", "Summary")
BIOMETRY: Final = CodedConcept("125002", "DCM", "Fetal Biometry")
GROUP: Final = CodedConcept("125005", "DCM", "Biometry Group")
CIRCUMFERENCE: Final = CodedConcept("11979-2", "LN", "Abdominal Circumference")
AGE: Final = CodedConcept("18185-9", "LN", "Gestational Age")
RANK: Final = CodedConcept("125012", "DCM", "Growth Percentile Rank")
Z_SCORE: Final = CodedConcept("125013", "DCM", "Growth Z-score")
DERIVATION: Final = CodedConcept("121401", "DCM", "Derivation")
CALCULATED: Final = CodedConcept("258090004", "SCT", "Calculated")
MEAN: Final = CodedConcept("373098007", "SCT", "Mean")
EQUATION: Final = CodedConcept("121420", "DCM", "Equation")
CITATION: Final = CodedConcept("121421", "DCM", "Equation Citation")
AGE_BY_HADLOCK: Final = CodedConcept("11892-7", "LN", "AC, Hadlock 1984")
GROWTH_BY_HADLOCK: Final = CodedConcept("33146-2", "LN", "AC by GA, Hadlock 1984")
COMMENT: Final = CodedConcept("121106", "DCM", "Comment")
MILLIMETRES: Final = CodedConcept("mm", "UCUM", "mm")
DAYS: Final = CodedConcept("d", "UCUM", "day")
PERCENT: Final = CodedConcept("%", "UCUM", "%")
RATIO: Final = CodedConcept("1", "UCUM", "no units")


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
    root = ContainerContentItem(REPORT, template_id="5000")
    content = ContentSequence()
    content.extend(_context(reviewer))
    if (summary := _summary(findings)) is not None:
        content.append(summary)
    content.append(_biometry(evidence, findings))
    root.ContentSequence = content
    images = [image for one in evidence for image in one.images]
    study = images[0].StudyInstanceUID
    return ComprehensiveSR(
        evidence=images,
        content=root,
        series_instance_uid=own_uid("series", "report", study, made_at.isoformat()),
        series_number=502,
        sop_instance_uid=own_uid("report", study, repr(findings), reviewer, made_at.isoformat()),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        record_evidence=False,
        manufacturer_model_name=MAKER,
        software_versions=TOOL_VERSION,
        device_serial_number="none",
        series_description="Fetal abdominal circumference",
    )


def _context(reviewer: str) -> list[ContentItem]:
    """Return the language, and who observed: this program, and the reviewer where there is one."""
    device = ObserverContext(
        CodedConcept("121007", "DCM", "Device"),
        DeviceObserverIdentifyingAttributes(
            uid=own_uid("device", MAKER, TOOL_VERSION), name=MAKER, model_name=TOOL_VERSION
        ),
    )
    person = None
    if reviewer:
        person = ObserverContext(
            CodedConcept("121006", "DCM", "Person"),
            PersonObserverIdentifyingAttributes(name=_person_name(reviewer)),
        )
    language = LanguageOfContentItemAndDescendants(CodedConcept("en", "RFC5646", "English"))
    return [*language, *ObservationContext(person, device)]


def _person_name(reviewer: str) -> str:
    """Return a name whose signs are no structure of a PN, of at most 64 characters."""
    plain = "".join(" " if sign in "^=\\" or not sign.isprintable() else sign for sign in reviewer)
    return plain.strip()[:63] + "^"


def _summary(findings: Findings) -> ContainerContentItem | None:
    """Return the age by dates, which somebody entered."""
    if findings.dating is None:
        return None
    age = NumContentItem(AGE, findings.dating.days, DAYS, relationship_type=CONTAINS)
    summary = ContainerContentItem(SUMMARY, relationship_type=CONTAINS)
    said = TextContentItem(COMMENT, f"By dates: {findings.dating}", CONTAINS)
    summary.ContentSequence = ContentSequence([age, said])
    return summary


def _biometry(evidence: Sequence[Evidence], findings: Findings) -> ContainerContentItem:
    items: list[ContentItem] = [
        _circumference(
            evidence,
            findings.circumference_mm,
            findings.used,
            MEAN if findings.averaged else CALCULATED,
        )
    ]
    if findings.best is not None:
        items.append(_circumference(evidence, findings.best[1], [findings.best[0]], CALCULATED))
    if findings.age_from_circumference_days is not None:
        age = NumContentItem(
            AGE, findings.age_from_circumference_days, DAYS, relationship_type=CONTAINS
        )
        equation = CodeContentItem(EQUATION, AGE_BY_HADLOCK, INFERRED)
        age.ContentSequence = ContentSequence([equation])
        items.append(age)
    if findings.standing is not None and findings.chart is not None:
        for name, value, unit in (
            (RANK, min(max(round(findings.standing.centile, 1), 0.1), 99.9), PERCENT),
            (Z_SCORE, round(findings.standing.z, 2), RATIO),
        ):
            item = NumContentItem(name, value, unit, relationship_type=CONTAINS)
            by = (
                CodeContentItem(EQUATION, GROWTH_BY_HADLOCK, INFERRED)
                if findings.chart.author == "hadlock"
                else TextContentItem(CITATION, findings.chart.citation, INFERRED)
            )
            item.ContentSequence = ContentSequence([by])
            items.append(item)
    items += [TextContentItem(COMMENT, note, CONTAINS) for note in findings.notes]
    group = ContainerContentItem(GROUP, relationship_type=CONTAINS)
    group.ContentSequence = ContentSequence(items)
    biometry = ContainerContentItem(BIOMETRY, relationship_type=CONTAINS)
    biometry.ContentSequence = ContentSequence([group])
    return biometry


def _circumference(
    evidence: Sequence[Evidence], value_mm: float, places: Sequence[Place], derivation: CodedConcept
) -> NumContentItem:
    """Return a circumference, how it came about, and the frames that it was measured on."""
    item = NumContentItem(
        CIRCUMFERENCE, round(value_mm, 1), MILLIMETRES, relationship_type=CONTAINS
    )
    children: list[ContentItem] = [CodeContentItem(DERIVATION, derivation, MODIFIER)]
    frames: dict[str, list[int]] = {}
    images: dict[str, Dataset] = {}
    for volume, frame in places:
        reference = evidence[volume].of_frame(frame)
        uid = reference.image.SOPInstanceUID
        images[uid] = reference.image
        frames.setdefault(uid, [])
        if reference.frame is not None:
            frames[uid].append(reference.frame)
    for uid, image in images.items():
        children.append(
            ImageContentItem(
                CodedConcept("121112", "DCM", "Source of Measurement"),
                image.SOPClassUID,
                uid,
                referenced_frame_numbers=frames[uid] or None,
                relationship_type=INFERRED,
            )
        )
    item.ContentSequence = ContentSequence(children)
    return item
