import numpy as np
import pytest

from fetal_iqa_training.data import phantoms
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.labelled_frames import acouslic_frames
from fetal_iqa_training.data.phantoms import settings_of, write_phantoms
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import list_cases
from napari_fetal_iqa.phantom import make_phantom


def test_a_phantom_data_set_is_the_phantoms_and_their_truth(tmp_path):
    events = []
    write_phantoms(tmp_path, 1, seed=5, size="small", report=events.append)
    (case,) = list_cases(tmp_path)
    truth = make_phantom(settings_of("small")[0], 5)
    assert read_sweep(case.image_path).identity == truth.sweep.identity
    assert read_sweep(case.image_path).bounds == truth.sweep.bounds
    assert (np.asarray(read_sweep(case.mask_path).frames) == truth.masks).all()
    annotated = [truth.labels[start:stop].any() for start, stop in truth.sweep.bounds]
    assert [ac_mm is not None for ac_mm in case.ac_mm] == annotated
    found = list(acouslic_frames([case]))
    assert sum(int(source.positive.sum()) for source in found) == (truth.labels > 0).sum()
    assert [(e.event, e.done, e.total) for e in events] == [("writing", 1, 1)]


def test_a_run_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    write_phantoms(tmp_path, 1, seed=5, size="small")
    made = []

    def note(settings, seed):
        made.append(seed)
        return make_phantom(settings, seed)

    monkeypatch.setattr(phantoms, "make_phantom", note)
    write_phantoms(tmp_path, 2, seed=5, size="small")
    assert made == [6]
    assert len({case.subject_id for case in list_cases(tmp_path)}) == 2


def test_the_folder_says_how_it_was_made(tmp_path):
    assert origin(tmp_path) is None
    write_phantoms(tmp_path, 1, seed=5, size="small", shifted=True)
    made = {"size": "small", "cases": 1, "seed": 5, "shifted": True}
    assert origin(tmp_path)["phantoms"] == made
    (tmp_path / "origin.json").write_text("{")
    assert origin(tmp_path) is None


@pytest.mark.parametrize("size", ["small", "demo", "acouslic", "training"])
def test_all_sizes_have_six_sweeps_over_one_field_of_view(size):
    for settings in settings_of(size):
        assert settings.n_sweeps == 6
        width_mm = settings.shape[1] * settings.spacing_mm[1]
        assert width_mm == pytest.approx(744 * 0.28, rel=0.01)


def test_no_cases_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="ask for 1 or more"):
        write_phantoms(tmp_path, 0)
