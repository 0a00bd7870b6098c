"""The plan of the house in ``pyproject.toml`` names every module there is."""

import pkgutil
import tomllib
from pathlib import Path

import pytest

import napari_fetal_iqa

ROOT = Path(__file__).parents[1]
FLOORS = next(
    contract["layers"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    if contract["type"] == "layers"
)


def test_every_module_has_its_floor():
    named = {name.strip() for floor in FLOORS for name in floor.split(":")}
    there = {
        f"napari_fetal_iqa.{module.name}"
        for module in pkgutil.iter_modules(napari_fetal_iqa.__path__)
    }
    there -= {"napari_fetal_iqa.__main__"}
    assert there | {"fetal_iqa_models", "fetal_iqa_training"} == named


@pytest.mark.parametrize(
    "package", ["napari_fetal_iqa", "models/fetal_iqa_models", "training/fetal_iqa_training"]
)
def test_every_folder_of_modules_says_in_one_sentence_what_lives_there(package):
    for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
        first = (folder / "__init__.py").read_text().splitlines()[0]
        assert first.startswith('"""'), folder
