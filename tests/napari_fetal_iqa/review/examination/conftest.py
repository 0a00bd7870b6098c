"""A store to review a case in."""

import pytest

from napari_fetal_iqa.corrections import CorrectionStore


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        yield store
