"""What is to be known of a built-in model is said of its copies, too, whatever they are called."""

import shutil

import pytest

from fetal_iqa_models import load_card, save_with_card
from fetal_iqa_models.built_in import BUILT_IN
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.overview import model_rows
from napari_fetal_iqa.storage import paths


def the_folder(row, tmp_path):
    return row.folder


def a_copy(row, tmp_path):
    return shutil.copytree(row.folder, tmp_path / "mine")


def a_calibrated_copy(row, tmp_path):
    another = {"temperature": 2.5} if row.task == "cls" else {"area_threshold": 0.02}
    card = load_card(row.name).model_copy(update=another)
    return save_with_card(row.name, tmp_path / "mine", card)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("copied", [the_folder, a_copy, a_calibrated_copy])
def test_by_whatever_path_it_is_chosen_its_limits_are_said(name, copied, tmp_path):
    row = BUILT_IN[name]
    folder = copied(row, tmp_path)
    tasks = (folder, None) if row.task == "cls" else (None, folder)
    setup = choose_models(*tasks).setup()
    assert setup.notices == ((row.notice,) if row.notice else ())
    assert row.good_for in setup.about()[0]


def test_other_weights_of_the_same_encoder_are_somebodys_own(tmp_path):
    copy = shutil.copytree(BUILT_IN["starter-cls"].folder, tmp_path / "mine")
    head = copy / "head.safetensors"
    content = head.read_bytes()
    head.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    setup = choose_models(copy, None).setup()
    assert setup.notices == ()
    assert BUILT_IN["starter-cls"].good_for not in setup.about()[0]


def test_the_list_of_models_says_it_of_a_calibrated_copy():
    paths.models().mkdir(parents=True)
    card = load_card("starter-cls").model_copy(update={"temperature": 2.5})
    folder = save_with_card("starter-cls", paths.models() / "mine", card)
    (row,) = (one for one in model_rows(ModelLibrary()) if one.reference == str(folder))
    for said in (BUILT_IN["starter-cls"].good_for, BUILT_IN["starter-cls"].limits):
        assert said
        assert said in "\n".join(row.details)
