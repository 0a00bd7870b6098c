"""A wrong model is refused when it is chosen, not when something is analysed."""

import pytest

from fetal_iqa_models import ModelError
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.soundness import check_usable
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import AUTOMATIC, load_settings

from ..made_models import make_model

ELSEWHERE = {"name": "FetalCLIP_weights.pt", "sha256": "1" * 64}
WRONG = {
    "an encoder of tomorrow": ({"encoder": "vit-g"}, "does not know; update"),
    "images of another size": ({"image_size": 64}, "images of 64 pixels"),
    "weights that are not here": ({"encoder_weights": ELSEWHERE}, "import them first"),
    "weights that nobody names": ({"encoder_weights": None}, "does not say which"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_model_that_cannot_be_used_is_not_taken_into_use(what):
    changed, reason = WRONG[what]
    library = ModelLibrary()
    make_model(paths.models() / "mine")
    folder = make_model(paths.models() / "wrong", **changed)
    with pytest.raises(ModelError, match=reason) as refused:
        library.use(library.find(str(folder)))
    assert "\n" not in str(refused.value)
    assert load_settings().cls_model == AUTOMATIC


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100])
def test_damaged_weights_are_noticed_when_a_model_is_chosen(content):
    library = ModelLibrary()
    folder = make_model(paths.models() / "mine")
    (folder / "head.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"head.safetensors: damaged"):
        library.use(library.find("mine"))


def test_a_model_of_the_other_task_is_refused():
    folder = make_model(paths.models() / "mine", task="seg")
    with pytest.raises(ModelError, match="is a seg model where a cls model is needed"):
        check_usable(folder, "cls")
    assert check_usable(folder, "seg").task == "seg"


def test_going_back_passes_over_what_cannot_be_used_any_more():
    library = ModelLibrary()
    first, second = (make_model(paths.models() / name, content=name) for name in ("one", "two"))
    library.use(library.find("one"))
    library.use(library.find("two"))
    (first / "head.safetensors").write_bytes(b"short")
    assert library.rollback("cls").reference == AUTOMATIC
    assert second.is_dir()
