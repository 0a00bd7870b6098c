"""Settings that another version wrote are taken as far as they are understood."""

import json

from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import Settings, load_settings, save_settings


def test_an_engine_that_this_version_does_not_know_leaves_the_rest_as_it_is():
    save_settings(Settings(reviewer="AK", engine="torch"))
    assert load_settings().engine == "torch"
    file = paths.home() / "settings.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "engine": "abacus"}))
    assert load_settings() == Settings(reviewer="AK", engine="auto")
