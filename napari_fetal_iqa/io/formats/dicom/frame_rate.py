"""How many frames a second a DICOM file says (PS3.3, C.7.6.5 cine)."""

from collections.abc import Mapping

from napari_fetal_iqa.io.formats.dicom.elements import DataSet, Element
from napari_fetal_iqa.io.formats.frame_rate import FrameRate, rate_of_steps

_FRAME_TIME, _FRAME_TIMES = 0x00181063, 0x00181065
_RATES = (
    (0x00180040, "Cine Rate"),
    (0x00082144, "Recommended Display Frame Rate"),
)
RATE_TAGS = (_FRAME_TIME, _FRAME_TIMES, *(tag for tag, _ in _RATES))


def read_frame_rate(header: DataSet, found: Mapping[int, Element]) -> FrameRate:
    """Return the rate by Frame Time, Frame Time Vector, or else by one of the rates themselves.

    Pixels do not need it: what is no number is passed over.
    """
    for tag, name in ((_FRAME_TIME, "Frame Time"), (_FRAME_TIMES, "Frame Time Vector")):
        milliseconds = _numbers(header, found.get(tag))
        rate = rate_of_steps((step / 1000 for step in milliseconds), f"DICOM: {name}")
        if rate.per_second is not None:
            return rate
    for tag, name in _RATES:
        for number in _numbers(header, found.get(tag))[:1]:
            rate = FrameRate.of_file(number, f"DICOM: {name}")
            if rate.per_second is not None:
                return rate
    return FrameRate()


def _numbers(header: DataSet, element: Element | None) -> list[float]:
    try:
        return header.numbers(element)
    except ValueError:
        return []
