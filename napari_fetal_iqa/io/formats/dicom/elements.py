"""The elements of a DICOM data set (PS3.5, chapter 7), walked without reading their values.

Only what is asked for is ever decoded, so that text and numbers that pixels do not need can be as
wrong as they like. Nothing here recurses: sequences may be nested as deep as a file can say.
"""

import struct
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.representations import REPRESENTATIONS

UNDEFINED = 0xFFFFFFFF
"""Length of what ends at a delimiter instead."""

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

MAX_ELEMENTS = 1_000_000
"""Elements and items walked over in one file, which takes about a second. A clip has some
hundred, an enhanced image about 60 a frame."""

MAX_VALUE_BYTES = 1 << 20
"""Of one value that is decoded; the largest are palettes of 128 kB."""

MAX_NUMBER_BYTES = 64
"""Of a single number, of 16 letters in text: a file may repeat one that has a million."""

_LONG_FORM = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Value representations with a length of 4 bytes (PS3.5, section 7.1.2)."""

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}


class Element(NamedTuple):
    """Tag, value representation ("" where implicit), and where the value lies in the file."""

    tag: int
    vr: str
    start: int
    length: int


class DataSet:
    """The elements of one file, by their places.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    data : bytes-like
        The whole file.
    explicit, little_endian : bool
        The encoding. Elements without a representation are taken as implicit, wherever they are.

    Raises
    ------
    SweepError
        From walking, where there are more elements than any image has.
    ValueError
        From walking, where an element reaches beyond what holds it.
    """

    def __init__(self, name: str, data: Any, explicit: bool, little_endian: bool = True) -> None:
        self.name = name
        self.data = data
        self.explicit = explicit
        self.order = "<" if little_endian else ">"
        self._head = struct.Struct(f"{self.order}HH4s").unpack
        self._short = struct.Struct(f"{self.order}H").unpack
        self._long = struct.Struct(f"{self.order}L").unpack
        self._walked = 0

    def element_at(self, place: int, end: int) -> Element:
        """Return the element that begins at a place."""
        self._walked += 1
        if self._walked > MAX_ELEMENTS:
            raise SweepError(
                f"{self.name}: expected a DICOM header of at most {MAX_ELEMENTS} elements, found "
                f"more; export the sweep again"
            )
        if place + 8 > end:
            raise ValueError("an element reaches beyond its end")
        group, number, size = self._head(self.data[place : place + 8])
        tag = group << 16 | number
        vr = size[:2]
        if not self.explicit or group == 0xFFFE or not (vr.isalpha() and vr.isupper()):
            (length,) = self._long(size)
            if self.explicit and end - place - 8 < length < UNDEFINED:
                (length,) = self._short(size[2:])  # some write "??" for what they do not know
            return Element(tag, "", place + 8, length)
        if vr not in _LONG_FORM:
            return Element(tag, vr.decode(), place + 8, self._short(size[2:])[0])
        if place + 12 > end:
            raise ValueError("an element reaches beyond its end")
        (length,) = self._long(self.data[place + 8 : place + 12])
        return Element(tag, vr.decode(), place + 12, length)

    def end_of(self, element: Element, end: int) -> int:
        """Return where the next element begins."""
        if element.length != UNDEFINED:
            stop = element.start + element.length
            if stop > end:
                raise ValueError("an element reaches beyond its end")
            return stop
        place, depth = element.start, 1
        while depth:
            inner = self.element_at(place, end)
            place = inner.start
            if inner.tag in (ITEM_END, SEQUENCE_END):
                depth -= 1
            elif inner.length == UNDEFINED:
                depth += 1
            else:
                place += inner.length
        return place

    def walk(self, place: int, end: int) -> Iterator[Element]:
        """Yield the elements of a data set or an item, without those inside of them."""
        while place + 8 <= end:
            element = self.element_at(place, end)
            if element.tag == ITEM_END:
                return
            yield element
            place = self.end_of(element, end)

    def pick(self, place: int, end: int, wanted: Container[int]) -> dict[int, Element]:
        """Return the wanted ones among the elements of a data set or an item."""
        return {found.tag: found for found in self.walk(place, end) if found.tag in wanted}

    def items(self, sequence: Element | None, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the items of a sequence begin and end; none where there is no sequence."""
        if sequence is None:
            return
        place = sequence.start
        if sequence.length != UNDEFINED:
            end = place + sequence.length
        while place < end:
            item = self.element_at(place, end)
            if item.tag == SEQUENCE_END:
                return
            if item.tag != ITEM:
                raise ValueError("a sequence holds something else than items")
            place = self.end_of(item, end)
            yield item.start, place

    def value(self, element: Element | None) -> bytes:
        """Return the stored bytes of a value; none where it is missing or has no bounded length."""
        if element is None or element.length > MAX_VALUE_BYTES:
            return b""
        return bytes(self.data[element.start : element.start + element.length])

    def text(self, element: Element | None) -> str:
        """Return a value as text without its padding."""
        return self.value(element).decode("latin-1").strip(" \0")

    def numbers(self, element: Element | None) -> list[float]:
        """Return a value as numbers; none where it is missing, or any of them is no number.

        Where the file does not say how they are stored, the dictionary does. A comma counts as
        the decimal point that it stands for in text.
        """
        if element is None:
            return []
        said = element.vr in (*_NUMBERS, "DS", "IS")
        stored_as = element.vr if said else REPRESENTATIONS[element.tag]
        value = self.value(element)
        if code := _NUMBERS.get(stored_as):
            size = struct.calcsize(f"<{code}")
            count = len(value) // size
            return list(struct.unpack(f"{self.order}{count}{code}", value[: count * size]))
        parts = value.decode("latin-1").replace(",", ".").split("\\")
        try:
            return [float(part.strip(" \0")) for part in parts]
        except ValueError:
            return []

    def number(self, element: Element | None) -> float | None:
        """Return a value as the single number that it is, or None."""
        if element is None or element.length > MAX_NUMBER_BYTES:
            return None
        found = self.numbers(element)
        return found[0] if len(found) == 1 else None
