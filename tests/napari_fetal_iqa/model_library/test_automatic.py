"""Each kind of sweep has the built-in models that suit it; whoever chose one keeps it."""

import json

import pytest

from fetal_iqa_models.built_in import BUILT_IN
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.model_library.automatic import SUITED, automatic_words, models_for
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import (
    AUTOMATIC,
    Settings,
    load_settings,
    save_changes,
    save_settings,
)


def test_the_table_has_a_built_in_model_of_the_task_for_every_kind():
    for models in SUITED.values():
        assert {BUILT_IN[name].task for name in models.values()} == set(models) == {"cls", "seg"}
        for task, name in models.items():
            assert BUILT_IN[name].task == task
            assert name in automatic_words(task)


def test_phantoms_have_demo_models_and_real_sweeps_those_of_the_table():
    assert models_for(Settings(), simulated=True) == ("demo-cls", "demo-seg")
    assert models_for(Settings(), simulated=False) == tuple(SUITED["real"].values())
    setup = choose_models(*models_for(Settings(), simulated=False)).setup()
    for name, line in zip(SUITED["real"].values(), setup.about(), strict=True):
        assert line.startswith(name)
        assert line.endswith(BUILT_IN[name].good_for)


@pytest.mark.parametrize("simulated", [False, True])
def test_an_explicit_choice_wins(simulated):
    chosen = Settings(cls_model="demo-cls", seg_model="/mine")
    assert models_for(chosen, simulated) == ("demo-cls", "/mine")
    assert models_for(Settings(cls_model=""), simulated)[0] == ""
    save_settings(chosen)
    assert load_settings() == chosen


def test_settings_of_earlier_versions_named_demo_models_that_nobody_chose():
    file = paths.home() / "settings.json"
    paths.home().mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"reviewer": "AK", "cls_model": "demo-cls", "seg_model": "/mine"}))
    assert load_settings() == Settings(reviewer="AK", cls_model=AUTOMATIC, seg_model="/mine")
    save_changes(load_settings(), load_settings().model_copy(update={"cls_model": "demo-cls"}))
    assert load_settings().cls_model == "demo-cls"  # chosen now
