"""Frames built ahead: the same model as without, and refused where they do not fit."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fetal_iqa_models import LoraSettings
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.data.fixed_copies import CopyRecipe
from fetal_iqa_training.data.labelled_frames import acouslic_frames
from fetal_iqa_training.data.prepared import build_prepared, open_part, read_prepared
from fetal_iqa_training.data.split import read_split, split_list, write_split
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.basis import basis, basis_of
from fetal_iqa_training.fitting.fit import fit
from napari_fetal_iqa.io import list_cases
from napari_fetal_iqa.io.acouslic import IMAGES, MASKS, TABLE

from ..conftest import tiny_settings

SHARES = (0.3, 0.5)


@pytest.fixture
def folder(data, tmp_path):
    return shutil.copytree(data, tmp_path / "data")


@pytest.fixture(scope="module")
def ready(data, tmp_path_factory):
    """A data set and what was built of it, never to be changed."""
    built = tmp_path_factory.mktemp("ready") / "prepared"
    build_prepared(
        data, split_list(list_cases(data), SHARES, 0), {}, 56, built, recipe=CopyRecipe(1, seed=0)
    )
    return data, built


@pytest.fixture
def build(folder, tmp_path):
    def build(image_size=56, **more):
        split = split_list(list_cases(folder), SHARES, more.pop("seed", 0))
        build_prepared(folder, split, {}, image_size, tmp_path / "prepared", **more)
        return tmp_path / "prepared"

    return build


def settings(task="cls", **changes):
    given = {
        "copies": 1,
        "learning_rate": 3e-4,
        "lora": LoraSettings(rank=2, alpha=4),
        "validation_share": SHARES[0],
        "test_share": SHARES[1],
    }
    return tiny_settings(task, **given | changes)


def weights(folder):
    return {
        f"{path.name}/{name}": tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


@pytest.mark.parametrize(("task", "copies"), [("cls", 1), ("seg", 0)])
def test_the_same_seed_gives_the_same_model_with_what_was_built_and_without(
    ready, tmp_path, task, copies
):
    data, prepared = ready
    chosen = settings(task, copies=copies)
    plain = fit(data, tmp_path / "plain", chosen)
    built = fit(data, tmp_path / "built", chosen, prepared=prepared)
    first, again = weights(tmp_path / "plain"), weights(tmp_path / "built")
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert built.training_data == plain.training_data
    assert built.metrics == plain.metrics
    assert basis_of(built) == basis(data, chosen, prepared=prepared)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "plain"]


def test_a_list_gives_the_model_of_its_seed_and_the_card_names_the_split(ready, tmp_path):
    data, prepared = ready
    listed = prepared / "split.json"
    by_list = fit(data, tmp_path / "list", settings(copies=0), split=listed)
    by_seed = fit(data, tmp_path / "seed", settings(copies=0))
    first, again = weights(tmp_path / "list"), weights(tmp_path / "seed")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert by_list.training["split"] == read_split(listed).sha256
    assert by_seed.training["split"] is None
    assert basis_of(by_list) == basis(data, settings(copies=0), split=listed)
    assert basis_of(by_list) == basis(data, settings(copies=0), prepared=prepared)


def test_the_list_decides_and_not_the_seed(ready, tmp_path):
    data, prepared = ready
    by_list = fit(data, tmp_path / "a", settings(seed=7, copies=0), prepared=prepared)
    assert by_list.training_data == basis(data, settings())["data"]
    assert by_list.training_data != basis(data, settings(seed=7))["data"]


def test_training_reads_no_volume_that_was_built_but_for_the_test_part(
    ready, tmp_path, monkeypatch
):
    data, prepared = ready
    read = []

    def noted(cases):
        read.extend(case.uuid for case in cases)
        return acouslic_frames(cases)

    monkeypatch.setattr("fetal_iqa_training.data.labelled_frames.acouslic_frames", noted)
    fit(data, tmp_path / "m", settings(copies=0), prepared=prepared)
    assert sorted(read) == sorted(json.loads((prepared / "split.json").read_text())["test"])


def test_the_end_of_reading_is_reported_as_where_the_sweeps_are_read(ready, tmp_path):
    data, prepared = ready
    events = []
    choose_data(data, settings(), prepared=prepared).frame_sets(tmp_path, events.append)
    assert [(one.event, one.done == one.total) for one in events] == [("reading", True)]


def test_the_frames_are_mapped_from_the_disk(ready):
    data, prepared = ready
    frames = open_part(prepared, read_prepared(prepared, data, 56), "training")
    assert isinstance(frames.frames, np.memmap)
    assert isinstance(frames.masks, np.memmap)
    assert not frames.frames.flags.writeable
    assert len(frames) == 30 * 2


def test_another_image_size_is_refused_with_the_command_that_helps(build, folder):
    with pytest.raises(TrainingError, match=r"28 pixels, but the encoder takes 56; .*-size 56"):
        read_prepared(build(image_size=28), folder, 56)


def touch(path):
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, case: touch(folder / IMAGES / f"{case}.mha"),
        lambda folder, case: (folder / MASKS / f"{case}.mha").write_bytes(b"other"),
        lambda folder, case: (folder / TABLE).write_text(
            (folder / TABLE).read_text().replace(f"{case},", f"{case},x")
        ),
    ],
    ids=["newer frames", "other masks", "another subject"],
)
def test_a_case_that_has_changed_since_is_named(build, folder, change):
    prepared = build()
    case = json.loads((prepared / "split.json").read_text())["training"][0]
    change(folder, case)
    with pytest.raises(TrainingError, match=f"case '{case}' has changed since it was built"):
        read_prepared(prepared, folder, 56)


def test_changes_in_the_test_part_or_in_cases_left_out_do_not_matter(build, folder):
    prepared = build()
    touch(folder / IMAGES / f"{json.loads((prepared / 'split.json').read_text())['test'][0]}.mha")
    assert read_prepared(prepared, folder, 56)


@pytest.mark.parametrize("name", ["frames", "masks", "positive"])
@pytest.mark.parametrize("damage", ["a bit", "cut", "gone"])
def test_damage_in_what_was_built_is_found(build, folder, name, damage):
    prepared = build()
    path = prepared / "validation" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "a bit" else content[:-1])
    note = read_prepared(prepared, folder, 56)
    with pytest.raises(TrainingError, match=r"validation: damaged \(.*\); build it again"):
        open_part(prepared, note, "validation")


@pytest.mark.parametrize("content", [None, b"{}", b"\xff", b"[" * 10_000])
def test_a_folder_that_is_something_else_is_one_line(build, folder, content):
    prepared = build()
    (prepared / "prepared.json").unlink()
    if content is not None:
        (prepared / "prepared.json").write_bytes(content)
    with pytest.raises(TrainingError, match="not what `fetal-iqa-train prepare acouslic --build`"):
        read_prepared(prepared, folder, 56)


def test_an_edited_split_and_another_list_are_refused(build, folder, tmp_path):
    prepared = build()
    other = tmp_path / "other.json"
    write_split(other, split_list(list_cases(folder), SHARES, 5), {})
    with pytest.raises(TrainingError, match=r"built for another split than .*other\.json"):
        fit(folder, tmp_path / "m", settings(), split=other, prepared=prepared)
    shutil.copy(other, prepared / "split.json")
    with pytest.raises(TrainingError, match="has changed since it was built"):
        read_prepared(prepared, folder, 56)


def test_it_appears_whole_or_not_at_all_and_never_over_another(build, folder, tmp_path):
    def fail(progress):
        if progress.done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(report=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    build()
    with pytest.raises(TrainingError, match="prepared: exists already"):
        build()


def test_the_frames_and_masks_of_one_case_are_in_memory_at_a_time(build, volumes_in_memory):
    build()
    assert len(volumes_in_memory) == 10  # of the five cases for training and validation
    assert max(volumes_in_memory) == 2


def test_prepare_builds_without_a_damaged_case_and_fit_uses_it(folder, tmp_path, command):
    built, model = tmp_path / "built", tmp_path / "model"
    (folder / IMAGES / "case4.mha").write_bytes(b"damaged")
    prepare = ["prepare", "acouslic", folder, "--build", built, "--image-size", 56]
    assert command(*prepare)[0] == 1
    assert not built.exists()
    code, _, err = command(*prepare, "--leave-out-damaged")
    assert code == 0
    assert err.startswith("case4: case4.mha: expected a MetaImage header")
    split = json.loads((built / "split.json").read_text())
    assert list(split["left_out"]) == ["case4"]
    fit = ["fit", "--data", folder, "--task", "cls", "--encoder", "fetalclip-tiny"]
    quick = ["--epochs", 1, "--copies", 0, "--device", "cpu", "--from-scratch"]
    code, _, err = command(*fit, *quick, "--out", model, "--prepared", built)
    assert code == 0, err
    card = json.loads((model / "model.json").read_text())
    assert card["training"]["frames"] == 30 * len(split["training"])
    code, _, err = command(*prepare, "--leave-out-damaged")
    assert code == 1
    assert "exists already" in err
