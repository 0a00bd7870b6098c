"""Where no model was chosen, a fine-tuning goes on from the one whose answers were corrected."""

import numpy as np
import pytest

from fetal_iqa_models import model_hash
from fetal_iqa_training.cli.finetune_base import bases
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.model_library.automatic import SUITED
from napari_fetal_iqa.storage.settings import Settings, save_settings
from napari_fetal_iqa.sweep import SweepVolume

REAL, PHANTOM = (SUITED[kind]["cls"] for kind in ("real", "phantom"))


@pytest.fixture
def corrected(tmp_path):
    """Makes a store in which answers of some models were corrected, one frame each."""

    def make(*models):
        sweep = SweepVolume(np.full((9, 4, 4), 7, np.uint8))
        path = tmp_path / "store.sqlite"
        with CorrectionStore(path) as store:
            store.add_sweep(sweep)
            for frame, model in enumerate(models):
                answers = model and f"cls-0000 {model_hash(model)}"
                store.set_label(sweep.identity, (frame,), Label.NONE, "AK", answers)
        return path

    return make


@pytest.mark.parametrize(
    ("models", "base"),
    [
        ((PHANTOM, PHANTOM, REAL), PHANTOM),
        ((REAL, REAL, PHANTOM), REAL),
        ((None, None), REAL),
        ((), REAL),
    ],
)
def test_the_base_is_the_model_that_answered(corrected, models, base):
    store = corrected(*models)
    assert dict(bases(None, ["cls"], [store])) == {"cls": base}
    assert dict(bases(["automatic"], ["cls"], [store])) == {"cls": base}
    assert dict(bases(["demo-seg", "automatic"], ["cls", "seg"], [store]))["seg"] == "demo-seg"
    assert dict(bases(["demo-seg", "automatic"], ["cls", "seg"], [store]))["cls"] == base


def test_a_model_in_use_or_given_is_the_base_whoever_answered(corrected):
    store = corrected(PHANTOM, PHANTOM)
    assert dict(bases([REAL], ["cls"], [store])) == {"cls": REAL}
    save_settings(Settings(cls_model=REAL))
    assert dict(bases(None, ["cls"], [store])) == {"cls": REAL}
    with pytest.raises(TrainingError, match="0 bases for seg"):
        dict(bases([REAL, PHANTOM], ["seg"], [store]))
