"""Commands start at once: they are listed without being imported, and import what they need."""

import os
import subprocess
import sys

import numpy as np
import pytest

from napari_fetal_iqa.cli.lazy_group import COMMANDS
from napari_fetal_iqa.io import write_volume

SLOW_IN_ANY = {"av", "dask", "lightning", "matplotlib", "napari", "nibabel", "openvino", "pandas"}
SLOW_IN_ANY |= {"pydicom", "qtpy", "SimpleITK", "skimage", "sqlite3", "timm", "torch"}
"""What takes a tenth of a second and more, or is of no use without a window or a model."""
SLOW_IN_HELP = SLOW_IN_ANY | {"numpy", "pydantic", "scipy"}


def imported(*arguments: str) -> set[str]:
    """Packages that the command imports, in a process of its own."""
    code = (
        "import sys; from napari_fetal_iqa.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code\n"
        "print('imported', *{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", code, *arguments]
    # not measured: coverage has imports of its own
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=unmeasured)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_the_help_imports_nothing_heavy():
    assert imported("--help") & SLOW_IN_HELP == set()


def test_info_imports_neither_what_computes_nor_what_draws(tmp_path):
    sweep = write_volume(tmp_path / "case.mha", np.full((3, 24, 32), 9, np.uint8), (0.2, 0.3))
    assert imported("info", str(sweep)) & SLOW_IN_ANY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name):
    command = COMMANDS[name].load(name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name].summary


def test_no_group_offers_to_install_completions():
    for name, one in COMMANDS.items():
        options = [option for param in one.load(name).params for option in param.opts]
        assert "--install-completion" not in options
