"""What the package says of itself in several files agrees."""

import importlib.util
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest
import yaml

from fetal_iqa_models import load_card
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.installation import LEFT_OUT
from fetal_iqa_models.licences import text_files

from . import conftest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    classifier.rpartition(" ")[2]
    for classifier in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
]
YAML_FILES = [ROOT / ".pre-commit-config.yaml", *(ROOT / ".github").rglob("*.yml")]


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def set_up_script():
    spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    return run


@pytest.mark.parametrize("package", ["napari_fetal_iqa", "fetal_iqa_models", "fetal_iqa_training"])
def test_type_checkers_may_read_every_package(package):
    assert resources.files(package).joinpath("py.typed").is_file()


def test_the_tests_run_on_every_python_of_the_classifiers():
    matrix = read(".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == PYTHONS
    assert {job["system"] for job in matrix["include"]} == {"windows-latest", "macos-latest"}


def test_readme_and_set_up_name_the_pythons_of_the_classifiers():
    first, last = PYTHONS[0], PYTHONS[-1]
    assert f"With Python {first} to {last} " in (ROOT / "README.md").read_text(encoding="utf-8")
    pythons = set_up_script().PYTHONS
    assert pythons == f">={first},<3.{int(last[2:]) + 1}"
    assert PROJECT["requires-python"] == f">={first}"


def test_the_light_installation_is_the_whole_without_what_is_left_out():
    lines = (ROOT / "requirements-light.txt").read_text(encoding="utf-8").splitlines()
    light = {re.match(r"[\w.-]+", line)[0]: line for line in lines if line[:1] not in ("", "#")}
    of = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["gui"]]
    whole = {re.match(r"[\w.-]+", line)[0]: line for line in of}
    assert set(whole) - set(light) == set(LEFT_OUT)
    assert set(light) <= set(whole)
    of_every_system = {name for name in light if light[name] == whole[name]}
    assert set(light) - of_every_system == {"openvino"}  # on Macs, too: there is no torch


def test_the_citation_names_the_version_and_the_repository():
    citation = read("CITATION.cff")
    assert citation["version"] == PROJECT["version"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]
    assert [entity["website"] for entity in citation["contact"]] == [PROJECT["urls"]["Issues"]]


def test_every_licence_of_what_is_shipped_is_named_and_its_text_comes_along():
    named = {ROOT / name for name in PROJECT["license-files"]}
    packages = [ROOT / name for name in ("napari_fetal_iqa", "models", "training")]
    there = {path for package in packages for path in package.rglob("*LICENSE*") if path.is_file()}
    # the demo models' own copy of the program's licence travels with them
    ours = {path for path in there if path.read_bytes() == (ROOT / "LICENSE").read_bytes()}
    assert named == there - ours | {ROOT / "LICENSE"}
    assert set(text_files()) <= there
    licences = {load_card(name).licence for name in BUILT_IN}
    assert licences | {"CC-BY-4.0"} == set(PROJECT["license"].split(" AND "))


@pytest.mark.parametrize("file", YAML_FILES, ids=lambda file: file.name)
def test_what_github_and_pre_commit_read_is_yaml(file):
    assert yaml.safe_load(file.read_text(encoding="utf-8"))


def test_the_hooks_are_the_checks_of_run_py():
    hooks = read(".pre-commit-config.yaml")["repos"][0]["hooks"]
    entries = [hook["entry"] for hook in hooks if hook["language"] == "system"]
    assert entries == [f"python3 run.py checks {name}" for name in set_up_script().CHECKS]


def test_the_files_that_tests_are_told_apart_by_are_there():
    run = (ROOT / "run.py").read_text(encoding="utf-8")
    named = re.findall(r'"(tests/[^"]+)"', run)
    assert named
    named += [f"tests/{name}" for name in conftest.ONCE | conftest.NOT_ONCE]
    assert [name for name in named if not (ROOT / name).exists()] == []
