import subprocess
import sys
from pathlib import Path

import pytest

import fetal_iqa_models


def test_neither_import_nor_cards_nor_the_table_of_encoders_import_torch() -> None:
    code = (
        "import sys, fetal_iqa_models as m\n"
        "m.list_encoders(); m.load_card; m.model_hash; m.ModelCard\n"
        "sys.exit(int('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(fetal_iqa_models.__all__))
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(fetal_iqa_models, name).__doc__


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(str(fetal_iqa_models.__file__)).parent / "py.typed").is_file()
