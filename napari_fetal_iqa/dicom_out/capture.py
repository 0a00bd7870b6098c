"""The frame that a case shows as a secondary capture, with the ellipse and the value drawn in.

Viewers show segmentations of cines unreliably, and this everywhere.
"""

from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.uid import SecondaryCaptureImageStorage

from napari_fetal_iqa.dicom_out.evidence import OF_PATIENT_AND_STUDY, FrameReference, meta_of
from napari_fetal_iqa.dicom_out.segmentation import code, reference_to, set_equipment
from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement
from napari_fetal_iqa.io.formats.dicom.own_uids import own_uid

_FONT_SIZE: Final = 14
_MARGIN: Final = 6
_LINE: Final = (255, 200, 0)


def drawn_frame(
    frame: NDArray[np.uint8], measurement: AbdomenMeasurement, lines: list[str]
) -> NDArray[np.uint8]:
    """Draw the ellipse over a frame, and lines of text below it.

    Parameters
    ----------
    frame : (H, W) uint8
    measurement : AbdomenMeasurement
    lines : list of str

    Returns
    -------
    (H', W', 3) uint8
        As wide as the frame, or wider where the text is.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    height = _FONT_SIZE + _MARGIN
    width = max([frame.shape[1], *(int(font.getlength(line)) + 2 * _MARGIN for line in lines)])
    picture = Image.new("RGB", (width, frame.shape[0] + _MARGIN + height * len(lines)))
    picture.paste(Image.fromarray(frame).convert("RGB"), (0, 0))
    draw = ImageDraw.Draw(picture)
    draw.line(_outline(measurement), fill=_LINE, width=2)
    for number, line in enumerate(lines):
        place = (_MARGIN, frame.shape[0] + _MARGIN + number * height)
        draw.text(place, line, fill=(255, 255, 255), font=font)
    return np.asarray(picture, np.uint8)


def _outline(measurement: AbdomenMeasurement) -> list[tuple[float, float]]:
    """Return the points of the ellipse as columns and rows of the frame."""
    turn = np.linspace(0, 2 * np.pi, 181)
    long, short = measurement.semi_axes_mm
    angle = np.deg2rad(measurement.angle_deg)
    along, across = long * np.cos(turn), short * np.sin(turn)
    right_mm = along * np.cos(angle) - across * np.sin(angle)
    down_mm = along * np.sin(angle) + across * np.cos(angle)
    rows = measurement.center_px[0] + down_mm / measurement.spacing_mm[0]
    columns = measurement.center_px[1] + right_mm / measurement.spacing_mm[1]
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


def secondary_capture(
    picture: NDArray[np.uint8], source: FrameReference, made_at: datetime
) -> Dataset:
    """Make a secondary capture (PS3.3, A.8.1) of a picture that was drawn of a frame.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    source : FrameReference
        The frame that it shows.
    made_at : datetime

    Returns
    -------
    Dataset
        With file meta information.
    """
    new = Dataset()
    for keyword in OF_PATIENT_AND_STUDY:
        if keyword in source.image:
            setattr(new, keyword, source.image.get(keyword))
    pixels = np.ascontiguousarray(picture).tobytes()
    study = source.image.StudyInstanceUID
    new.SOPClassUID = SecondaryCaptureImageStorage
    new.SOPInstanceUID = own_uid(
        "capture", source.image.SOPInstanceUID, pixels, made_at.isoformat()
    )
    new.SeriesInstanceUID = own_uid("series", "capture", study, made_at.isoformat())
    new.Modality, new.SeriesNumber, new.InstanceNumber = "US", 503, 1
    new.SeriesDescription = "Fetal abdomen, measured frame"
    set_equipment(new, made_at)
    new.ConversionType, new.ImageType = "WSD", ["DERIVED", "SECONDARY"]
    new.PatientOrientation = new.Laterality = None
    if "BurnedInAnnotation" in source.image:
        new.BurnedInAnnotation = source.image.BurnedInAnnotation
    reference = reference_to(source)
    reference.PurposeOfReferenceCodeSequence = Items(
        [code("121322", "DCM", "Source Image for Image Processing Operation")]
    )
    new.SourceImageSequence = Items([reference])
    new.DerivationDescription = "Ellipse and circumference drawn over one frame"
    new.Rows, new.Columns, new.SamplesPerPixel = picture.shape
    new.PhotometricInterpretation, new.PlanarConfiguration = "RGB", 0
    new.BitsAllocated = new.BitsStored = 8
    new.HighBit, new.PixelRepresentation = 7, 0
    new.PixelData = pixels + bytes(len(pixels) % 2)
    new["PixelData"].VR = "OB"
    new.file_meta = meta_of(new)
    return new
