"""The page of encoders and the table of the program say the same."""

import re
from pathlib import Path

import pytest

from fetal_iqa_models import encoder_spec, list_encoders

PAGE = Path(__file__).parents[2] / "docs" / "encoders.md"


def rows() -> dict[str, list[str]]:
    """Cells of the page's table by the names in their first cell."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), cells[1:])
    return found


def test_every_encoder_is_on_the_page_and_one_more_that_cannot_be_built() -> None:
    assert set(rows()) == {*list_encoders(), "mofo"}


@pytest.mark.parametrize("name", list_encoders())
def test_input_and_licence_are_those_of_the_table(name: str) -> None:
    _, size, licence, status = rows()[name]
    spec = encoder_spec(name)
    assert int(size) == spec.image_size
    assert licence.split(":")[0] == spec.licence
    assert ("by hand" in status) == (spec.source is not None and spec.source.page is not None)
