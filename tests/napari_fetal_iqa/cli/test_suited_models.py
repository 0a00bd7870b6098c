"""``analyse`` over a folder of phantoms and real sweeps: to each the models that suit it."""

import json

import numpy as np

from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.cards import model_hash
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.model_library.automatic import SUITED

FRAMES = np.random.default_rng(0).integers(20, 200, (2, 60, 80), dtype=np.uint8)


def models_of(folder):
    models = json.loads((folder / "summary.json").read_text())["models"]
    return {task: model["hash"] for task, model in models.items()}


def test_a_batch_of_both_has_the_models_of_each_and_says_so_once(run, tmp_path, tiny_models):
    sweeps = tmp_path / "sweeps"
    for name, simulated in (("a", False), ("b", True), ("c", False)):
        frames = FRAMES + np.uint8(ord(name) - ord("a"))
        write_volume(sweeps / f"{name}.mha", frames, (0.5, 0.5), simulated=simulated)
    analyse = ("analyse", sweeps, "--device", "cpu")
    code, _, err = run(*analyse, "--out", tmp_path / "out")
    assert code == 0, err
    for name, kind in (("a", "real"), ("b", "phantom"), ("c", "real")):
        wanted = {task: model_hash(model) for task, model in SUITED[kind].items()}
        assert models_of(tmp_path / "out" / name) == wanted
    assert err.count("Models for real sweeps:") == err.count("Models for phantoms:") == 1
    for models in SUITED.values():
        for name in models.values():
            assert f"good for {BUILT_IN[name].good_for}" in err

    code, _, err = run(
        *analyse, "--out", tmp_path / "mine", "--seg", tiny_models["seg"], "--cls", ""
    )
    assert code == 0, err
    assert "Models for" not in err
    hashes = [json.loads((tmp_path / "mine" / name / "summary.json").read_text()) for name in "ab"]
    assert {found["models"]["seg"]["hash"] for found in hashes} == {model_hash(tiny_models["seg"])}
