"""Content items of a DICOM structured report (PS3.3, C.17.3), as data sets of pydicom.

highdicom makes the same, but asks for pyjpegls, which has no wheel for Python 3.14 and is compiled
there; the tests read these by highdicom.
"""

from collections.abc import Iterable
from typing import Literal

from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.valuerep import DSfloat

from napari_fetal_iqa.dicom_out.segmentation import code

Concept = tuple[str, str, str]
"""Code value, coding scheme, meaning."""

Relation = Literal["CONTAINS", "INFERRED FROM", "HAS CONCEPT MOD", "HAS OBS CONTEXT"]


def _item(
    kind: str, name: Concept, relation: Relation | None, within: Iterable[Dataset]
) -> Dataset:
    item = Dataset()
    if relation is not None:
        item.RelationshipType = relation
    item.ValueType = kind
    item.ConceptNameCodeSequence = Items([code(*name)])
    if children := list(within):
        item.ContentSequence = Items(children)
    return item


def container(
    name: Concept, within: Iterable[Dataset], relation: Relation | None = "CONTAINS"
) -> Dataset:
    """Return a container of items; the root has no relation."""
    item = _item("CONTAINER", name, relation, within)
    item.ContinuityOfContent = "SEPARATE"
    return item


def coded(name: Concept, value: Concept, relation: Relation) -> Dataset:
    """Return an item whose value is a code."""
    item = _item("CODE", name, relation, ())
    item.ConceptCodeSequence = Items([code(*value)])
    return item


def text(name: Concept, value: str, relation: Relation = "CONTAINS") -> Dataset:
    """Return an item whose value is text."""
    item = _item("TEXT", name, relation, ())
    item.TextValue = value
    return item


def person(name: Concept, value: str, relation: Relation) -> Dataset:
    """Return an item whose value is a person's name, as a PN."""
    item = _item("PNAME", name, relation, ())
    item.PersonName = value
    return item


def identifier(name: Concept, value: str, relation: Relation) -> Dataset:
    """Return an item whose value is a UID."""
    item = _item("UIDREF", name, relation, ())
    item.UID = value
    return item


def number(
    name: Concept,
    value: float,
    unit: Concept,
    within: Iterable[Dataset] = (),
    relation: Relation = "CONTAINS",
) -> Dataset:
    """Return an item whose value is a number with its unit (UCUM)."""
    item = _item("NUM", name, relation, within)
    measured = Dataset()
    measured.NumericValue = DSfloat(value, auto_format=True)
    measured.MeasurementUnitsCodeSequence = Items([code(*unit)])
    item.MeasuredValueSequence = Items([measured])
    return item


def image(name: Concept, reference: Dataset, relation: Relation) -> Dataset:
    """Return an item that refers to an image, or to some of its frames."""
    item = _item("IMAGE", name, relation, ())
    item.ReferencedSOPSequence = Items([reference])
    return item
