"""The plan of the house in ``pyproject.toml`` names every module there is."""

import ast
import pkgutil
import re
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


def mapped_folders():
    """Folders in the tree of docs/house.md, by their indentation."""
    tree = (ROOT / "docs" / "house.md").read_text(encoding="utf-8").split("## Where to look")[1]
    above: list[Path] = []
    for indent, name in re.findall(r"^    ( *)([\w/]+)/(?: |$)", tree, re.MULTILINE):
        above = [*above[: len(indent) // 4], Path(name)]
        yield ROOT.joinpath(*above)


def test_the_map_names_every_folder_of_modules():
    mapped = set(mapped_folders())
    assert {folder for folder in mapped if not folder.is_dir()} == set()
    packages = ("napari_fetal_iqa", "models/fetal_iqa_models", "training/fetal_iqa_training")
    modules = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    assert {path.parent for path in modules} - mapped == set()


@pytest.mark.parametrize("page", ["docs/house.md", "CONTRIBUTING.md"])
def test_the_floors_on_the_pages_are_those_of_the_contract(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for number, floor in enumerate(reversed(FLOORS), start=1):
        row = next(line for line in text.splitlines() if line.startswith(f"| {number} |"))
        named = {name.strip().removeprefix("napari_fetal_iqa.") for name in floor.split(":")}
        assert named <= set(re.findall(r"`(\w+)`", row)), row


FOREIGN = {"name", "path", "stem", "notice", "problem", "error"}
"""How variables and attributes are called that hold what a stranger wrote."""


def raw_log_values(source: str) -> list[str]:
    """Values that a log line gets as they are, though a stranger may have written them."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    lines = (call for call in calls if ast.unparse(call.func).startswith("logger."))
    values = [value for line in lines for value in line.args]
    return [
        ast.unparse(value)
        for value in values
        if getattr(value, "attr", getattr(value, "id", "")) in FOREIGN
    ]


@pytest.mark.parametrize("room", ["io", "corrections"])
def test_log_lines_show_what_strangers_wrote_through_one_function(room):
    assert raw_log_values('logger.info("%s", file.name)') == ["file.name"]
    assert raw_log_values('logger.info("%s", shown(file.name))') == []

    raw = {
        str(path): values
        for path in (ROOT / "napari_fetal_iqa" / room).rglob("*.py")
        if (values := raw_log_values(path.read_text(encoding="utf-8")))
    }

    assert raw == {}
