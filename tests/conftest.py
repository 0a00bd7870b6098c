"""Fixtures that every test may use."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import settings

import fetal_iqa_models.compiled  # noqa: F401 - before openvino, so that nobody is told of it

from . import mutation_figures, screens

# Tests assert no times: a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        screens.take_own_screen()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = list(mutation_figures.lines(terminalreporter.getreports("passed")))
    if told:
        terminalreporter.section("mutations and kills without a crash, a hang or a loss")
        terminalreporter.write("".join(f"{line}\n" for line in told))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real ultrasound beside the project; skips where it is not there."""
    folder = Path(os.environ.get("FETAL_IQA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real ultrasound is not here: set FETAL_IQA_DATA (looked in {folder.name})")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep settings, stores and caches of the tests away from the user's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FETAL_IQA_HOME", str(home))
    # graphs are compiled once for all tests
    (home / "cache").mkdir()
    compiled = tmp_path_factory.getbasetemp() / "compiled"
    compiled.mkdir(exist_ok=True)
    (home / "cache" / "compiled").symlink_to(compiled, target_is_directory=True)


class Connection(sqlite3.Connection):
    """As SQLite's own, but may be referred to weakly."""


@pytest.fixture(autouse=True)
def _no_database_left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that leaves a database open: its file is locked, and another test is warned."""
    opened: WeakSet[sqlite3.Connection] = WeakSet()

    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = real(*arguments, **{"factory": Connection, **named})
        opened.add(connection)
        return connection

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", connect)
    yield
    left = [one for one in opened if _is_open(one)]
    for one in left:
        one.close()
    assert not left


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - raises for one that is closed
    except sqlite3.ProgrammingError:
        return False
    return True


MAKE_TINY_MODELS = """
import sys
from pathlib import Path

import torch
from fetal_iqa_models import FrameClassifier, FrameSegmenter, ModelCard, load_encoder, save_model

torch.manual_seed(0)
for task, network in (("cls", FrameClassifier), ("seg", FrameSegmenter)):
    model = network(load_encoder("fetalclip-tiny"))
    card = ModelCard(
        name=f"untrained {task}",
        task=task,
        encoder="fetalclip-tiny",
        encoder_weights="own",
        image_size=model.encoder.spec.image_size,
    )
    save_model(model, Path(sys.argv[1]) / task, card)
"""


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of an untrained CLS and SEG model with the smallest encoder, by task.

    Made in a process of their own: torch must not come into one that shows a window.
    """
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", MAKE_TINY_MODELS, str(folder)], check=True)
    return {task: folder / task for task in ("cls", "seg")}


HERE = Path(__file__).parent
ONCE = {
    "fetal_iqa_models/compiled",
    "fetal_iqa_models/test_batching.py",
    "fetal_iqa_models/test_checkpoints.py",
    "fetal_iqa_models/test_encoders.py",
    "fetal_iqa_models/test_fuzz_models.py",
    "fetal_iqa_models/test_lora.py",
    "fetal_iqa_models/test_mobile.py",
    "fetal_iqa_models/test_networks.py",
    "fetal_iqa_models/test_registry.py",
    "fetal_iqa_models/test_ultrasam.py",
    "fetal_iqa_models/test_usfm.py",
    "fetal_iqa_models/untrusted",
    "fetal_iqa_models/weights/test_hostile_hub.py",
    "fetal_iqa_training",
    "napari_fetal_iqa/analysis/test_best_frame.py",
    "napari_fetal_iqa/analysis/test_cache.py",
    "napari_fetal_iqa/analysis/test_candidates.py",
    "napari_fetal_iqa/analysis/test_cascade.py",
    "napari_fetal_iqa/analysis/test_engine.py",
    "napari_fetal_iqa/analysis/test_precisions.py",
    "napari_fetal_iqa/analysis/test_worker_client.py",
    "napari_fetal_iqa/anonymising",
    "napari_fetal_iqa/cli/test_anonymise.py",
    "napari_fetal_iqa/cli/test_compile_command.py",
    "napari_fetal_iqa/cli/test_export_dicom.py",
    "napari_fetal_iqa/cli/test_report_command.py",
    "napari_fetal_iqa/contributions/test_sample_data.py",
    "napari_fetal_iqa/corrections/test_kill.py",
    "napari_fetal_iqa/dicom_out",
    "napari_fetal_iqa/io/test_fuzz.py",
    "napari_fetal_iqa/phantom",
    "napari_fetal_iqa/report",
}
"""Files and folders whose tests take long and whose subject is the same on every Python."""
NOT_ONCE = {"fetal_iqa_training/cli/test_app.py"}
"""Within these: the commands, whose options Python's own machinery makes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(HERE)
        names = {str(part.as_posix()) for part in (path, *path.parents)}
        if names & ONCE and not names & NOT_ONCE:
            item.add_marker(pytest.mark.once)
