"""The page of the starter models is of those that are shipped, and they are small."""

from pathlib import Path

import pytest

from fetal_iqa_models import model_hash
from fetal_iqa_models.built_in import BUILT_IN

PAGE = Path(__file__).parents[2] / "docs" / "starter-models.md"
STARTERS = ("starter-cls", "starter-seg")


@pytest.mark.parametrize("name", STARTERS)
def test_the_page_has_the_card_of_the_model_that_is_shipped(name: str) -> None:
    _, _, card = PAGE.read_text(encoding="utf-8").partition(f"\n## {name}\n")
    card, _, _ = card.partition("\n## ")
    row = BUILT_IN[name]
    for said in (model_hash(row.folder)[:16], row.good_for, row.limits):
        assert said in card


def test_starter_and_demo_models_have_less_than_30_megabytes() -> None:
    folders = [BUILT_IN[name].folder for name in (*STARTERS, "demo-cls", "demo-seg")]
    assert sum(path.stat().st_size for one in folders for path in one.iterdir()) < 30e6
