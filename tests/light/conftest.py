"""The light installation: these tests run where there is no torch, by run.py tests --light."""

import pytest

from fetal_iqa_models.installation import is_whole

from ..gui.conftest import (  # noqa: F401 - fixtures
    analyser,
    frames_are_seen,
    phantom,
    show,
    store,
    window,
)
from ..napari_fetal_iqa.cli.conftest import run  # noqa: F401 - a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not is_whole():
        return
    for item in items:
        if "tests/light" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="for python3 run.py tests --light"))
