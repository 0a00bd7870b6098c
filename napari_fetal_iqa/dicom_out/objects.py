"""All DICOM objects of a case, made and written."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.dicom_out.capture import drawn_frame, secondary_capture
from napari_fetal_iqa.dicom_out.evidence import Evidence, evidence_of_case
from napari_fetal_iqa.dicom_out.findings import DISCLAIMER, Findings, findings_of
from napari_fetal_iqa.dicom_out.new_folder import new_folder
from napari_fetal_iqa.dicom_out.segmentation import segmentation
from napari_fetal_iqa.dicom_out.structured_report import structured_report
from napari_fetal_iqa.errors import FetalIqaError, SweepError
from napari_fetal_iqa.growth.charts import GrowthChart
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.formats.dicom.data_set import bytes_of, saying_nothing
from napari_fetal_iqa.review.examination.examination import Examination
from napari_fetal_iqa.review.frame_view import Source
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames

WITHOUT_ABDOMEN: Final = (
    "no frame shows an abdomen that is outlined, so that there is nothing to export"
)


@dataclass(frozen=True)
class CaseObjects:
    """The DICOM objects of a case, by the names of their files.

    Parameters
    ----------
    objects : dict of str to bytes
        Whole files.
    findings : Findings or None
        What the report says; None without one.
    made_images : bool
        The images that the results refer to are among them.
    """

    objects: dict[str, bytes]
    findings: Findings | None
    made_images: bool

    def write(self, folder: Path) -> None:
        """Write every object as a file.

        Raises
        ------
        SweepError
            Where the folder holds something, or the disk refuses.
        """
        with new_folder(folder) as new:
            for name, content in self.objects.items():
                (new / name).write_bytes(content)


def objects_of_case(
    sources: Sequence[SweepSource | None],
    examination: Examination,
    reviewer: str,
    made_at: datetime,
    dating: Dating | None = None,
    chart: GrowthChart | None = None,
) -> CaseObjects:
    """Make the segmentations, the report and the secondary capture of a case.

    Parameters
    ----------
    sources : sequence of SweepSource
        Of the case's volumes, in their order; None for one that is in no file.
    examination : Examination
    reviewer : str
        Whose corrections count.
    made_at : datetime
    dating, chart : optional
        Age by dates, and the growth chart by which the circumference is ranked.

    Raises
    ------
    SweepError
        Where the source cannot be referred to, or its header cannot be taken over.
    FetalIqaError
        Where no frame has an outline that counts.
    """
    volumes = examination.volumes
    if not any(volume.corrections() for volume in volumes):
        reviewer = ""  # nobody looked at it
    evidence = evidence_of_case(sources, [volume.sweep for volume in volumes])
    datasets: dict[str, Dataset] = {}
    for number, (volume, own) in enumerate(zip(volumes, evidence, strict=True), start=1):
        masks = masks_that_count(volume)
        if masks:
            who = _who_drew(volume, list(masks))
            datasets[f"segmentation-{number}.dcm"] = segmentation(
                own, masks, who, models_in_words([volume]), made_at, number
            )
    if not datasets:
        raise FetalIqaError(WITHOUT_ABDOMEN)
    findings = findings_of(examination, dating, chart, models_in_words(volumes))
    try:
        with saying_nothing():
            if findings is not None:
                datasets["report.dcm"] = structured_report(evidence, findings, reviewer, made_at)
                if findings.best is not None:
                    datasets["picture.dcm"] = _capture(examination, evidence, findings, made_at)
            made = dict(_images(evidence))
            objects = {name: bytes_of(dataset) for name, dataset in {**made, **datasets}.items()}
    except (ValueError, TypeError, UnicodeError, AttributeError):
        # From None: the message of the cause may quote the header.
        raise SweepError(
            "the header of the source cannot be taken over into DICOM results: the patient's or "
            "study's data in it is damaged; ask for another export of the study"
        ) from None
    return CaseObjects(objects, findings, bool(made))


def _images(evidence: Sequence[Evidence]) -> Iterator[tuple[str, Dataset]]:
    for number, one in enumerate(evidence, start=1):
        if one.made:
            for part, image in enumerate(one.images, start=1):
                yield f"image-{number}-{part}.dcm", image


def masks_that_count(volume: ReviewedFrames) -> dict[int, NDArray[np.bool_]]:
    """Return the outlines of a volume as reviewed, by frame: the expert's, or else the models'.

    Frames that are said to show no abdomen have none, nor have models' outlines below the area
    threshold.
    """
    labels, _ = volume.labels()
    found = {}
    for frame in np.flatnonzero((labels != Label.NONE) & volume.outlined()).tolist():
        mask = volume.mask(frame)
        if mask.any():
            found[frame] = mask
    return found


def _who_drew(volume: ReviewedFrames, frames: Sequence[int]) -> str:
    """Return the kind of a segment by who drew its outlines (PS3.3, C.8.20.4)."""
    by_models = volume.models_outline_counts()[list(frames)]
    if not by_models.any():
        return "MANUAL"
    looked_at = any(volume.mask_source(frame) is Source.EXPERT for frame in frames)
    return "SEMIAUTOMATIC" if looked_at else "AUTOMATIC"


def models_in_words(volumes: Sequence[ReviewedFrames]) -> str:
    """Return the models of a case, each by id and the beginning of its hash."""
    models = {
        f"{model.id} {model.hash[:12]}": None
        for volume in volumes
        if volume.analysis is not None
        for model in volume.analysis.setup.models
    }
    return re.sub(r"[\\\x00-\x1f]", " ", ", ".join(models))


def _capture(
    examination: Examination,
    evidence: Sequence[Evidence],
    findings: Findings,
    made_at: datetime,
) -> Dataset:
    assert findings.best is not None  # the caller looked
    (number, frame), own_mm = findings.best
    volume = examination.volumes[number]
    measurement = volume.view(frame).measurement
    assert measurement is not None  # it is where own_mm comes from
    sweep, place = volume.sweep.locate(frame)
    start, stop = volume.sweep.bounds[sweep]
    lines = [
        f"AC {findings.circumference_mm:.1f} mm; this frame {own_mm:.1f} mm",
        f"sweep {sweep + 1}, frame {place + 1} of {stop - start}",
        DISCLAIMER,
    ]
    picture = drawn_frame(np.asarray(volume.sweep.frames[frame]), measurement, lines)
    return secondary_capture(picture, evidence[number].of_frame(frame), made_at)
