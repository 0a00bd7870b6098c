import numpy as np
import pytest

from fetal_iqa_training.data.any_sweeps import list_sweeps
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.subjects import salt_of_this_machine, subject_key
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import IMAGES
from napari_fetal_iqa.io.write import write_volume

from ..conftest import disc_volume


def test_files_are_known_by_their_content_and_by_the_subject_that_a_store_knows(tmp_path):
    paths = [write_volume(tmp_path / f"{n}.mha", disc_volume(n)[0], (1.0, 1.0)) for n in (1, 2)]
    first = read_sweep(paths[0])
    with CorrectionStore(tmp_path / "review.sqlite") as store:
        store.add_sweep(first)
        store.set_subject(first.identity, "P-0012")
    named, unnamed = list_sweeps(tmp_path, [tmp_path / "review.sqlite"])
    assert named.unit == subject_key("P-0012", salt_of_this_machine())
    assert unnamed.unit == read_sweep(paths[1]).identity
    assert named.truth is None
    (source,) = named.read()
    assert np.array_equal(source.frames, np.asarray(first.frames))
    with pytest.raises(TrainingError, match="no corrections store"):
        list_sweeps(tmp_path, [tmp_path / "none.sqlite"])


def test_a_data_set_has_all_of_its_sweeps_and_the_truth_of_the_annotated_ones(data):
    one = list_sweeps(data)[3]
    assert (one.name, len(list(one.read())), len(list(one.truth()))) == ("case3", 6, 5)
    by_file = list_sweeps(data / IMAGES)[3]
    assert by_file.unit == one.unit  # its table says whose it is
    assert ("case", "case3") in by_file.things


def test_a_folder_without_sweeps_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="holds no sweep"):
        list_sweeps(tmp_path)
    with pytest.raises(TrainingError, match="no such folder"):
        list_sweeps(tmp_path / "nowhere")
