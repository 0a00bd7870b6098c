"""The whole way, in a real window: open, analyse, correct, learn, analyse again."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.storage.settings import Settings, save_settings

SECONDS = 1000


def analyse(widget, qtbot):
    if not widget.runner.running:
        widget.presenter.analyse()
    qtbot.waitUntil(lambda: not widget.runner.running, timeout=240 * SECONDS)
    analysis = widget.presenter.session.analysis
    assert analysis.complete
    return analysis


def trainer(*arguments):
    """Run the trainer in a process of its own, as a person does in a terminal."""
    command = [sys.executable, "-m", "fetal_iqa_training", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def learn(task, base, store, out):
    """Fine-tune, for fewer steps and with less earlier data than a person would."""
    rehearsed, reference = out.parent / "rehearsed", out.parent / "reference"
    for data, seed in ((rehearsed, 880_000), (reference, 990_000)):
        if not data.exists():
            trainer("phantoms", data, "--cases", 1, "--size", "small", "--seed", seed)
    trainer(
        *("finetune", "--corrections", store.path, "--task", task, "--base", base, "--out", out),
        *("--device", "cpu", "--steps", 60, "--rehearse", rehearsed, "--reference", reference),
    )
    return str(out)


def correct(widget, frame, label, mask):
    """Correct the frame by what it shows: mask by fill, as one would draw it, then label by key."""
    act = widget.presenter.actions
    act.go(frame)
    act.clear_mask()
    if mask.any():
        layer = widget.presenter.view.overlay.layer
        rows, columns = np.nonzero(mask)
        with layer.block_history():  # as one stroke, reported when it is done
            layer.data_setitem((np.full(len(rows), frame), rows, columns), layer.selected_label)
        QApplication.processEvents()
    {
        Label.NONE: act.label_none,
        Label.OPTIMAL: act.label_optimal,
        Label.SUBOPTIMAL: act.label_suboptimal,
    }[label]()


def error_on(analysis, frames, truth):
    """Mean distance of the quality from the truth, over some frames."""
    return float(np.abs(analysis.quality[frames] - truth[frames]).mean())


def dice(a, b):
    return 2 * (a & b).sum() / max(1, a.sum() + b.sum())


@pytest.mark.timeout(900)
def test_the_whole_way_on_a_phantom(window, store, qtbot, tmp_path):
    """A scanner that the demo models do not know, and an expert who knows the truth."""
    settings = replace(PhantomSettings.small().shifted(), n_sweeps=3, frames_per_sweep=20)
    case = make_phantom(settings, seed=11)  # runs of abdomen long enough to learn from
    write_volume(tmp_path / "case.mha", case.sweep.frames, case.sweep.spacing_mm)
    # named, for a file that counts as real gets the starter models by itself
    save_settings(Settings(reviewer="AK", cls_model="demo-cls", seg_model="demo-seg"))

    widget = window()
    widget.open_file(str(tmp_path / "case.mha"))
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=30 * SECONDS)
    before = analyse(widget, qtbot)
    assert "Demo models: not for clinical use" in widget.page.analysis.notice.text()
    assert before.setup.names == ("demo-cls", "demo-seg")

    truth = (case.labels > 0).astype(float)
    positive, negative = np.flatnonzero(truth == 1)[::2][:10], np.flatnonzero(truth == 0)[::4][:10]
    frames = np.concatenate([positive, negative])
    for frame in frames:
        correct(widget, int(frame), Label(int(case.labels[frame])), case.masks[frame] > 0)
    corrections = store.corrections(widget.presenter.session.sweep.identity)
    assert sorted(corrections) == sorted(frames.tolist())
    assert all(corrections[frame].label == case.labels[frame] for frame in frames)

    models = {
        task: learn(task, f"demo-{task}", store, tmp_path / f"my-{task}") for task in ("cls", "seg")
    }
    widget.page.settings.form.set_field("cls_model", models["cls"])
    widget.page.settings.form.set_field("seg_model", models["seg"])
    after = analyse(widget, qtbot)

    assert after.setup.cls_model.hash != before.setup.cls_model.hash
    assert after.setup.cls_model.id in widget.page.analysis.models.text()
    assert error_on(after, frames, truth) < error_on(before, frames, truth)
    masks = {f: case.masks[f] > 0 for f in positive}
    better = [dice(after.mask(f), masks[f]) - dice(before.mask(f), masks[f]) for f in positive]
    assert np.mean(better) > 0, better

    widget.close()
    with CorrectionStore(store.path) as reopened:
        kept = reopened.corrections(case.sweep.identity)
    assert sorted(kept) == sorted(frames.tolist())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_way_on_a_real_sweep(window, store, qtbot, tmp_path, real_data):
    """The demo models know nothing of heads; the point is the way."""
    save_settings(Settings(reviewer="AK", cls_model="demo-cls"))
    widget = window()
    widget.open_file(str(real_data / "fetal_head_sweep.mha"))
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=30 * SECONDS)
    before = analyse(widget, qtbot)
    sweep = widget.presenter.session.sweep
    assert sweep.shape == (232, 153, 211)

    outline = Ellipse((80, 105), (60, 45), 0).mask((153, 211), (1, 1))
    shown, empty = range(100, 124, 4), range(0, 24, 4)
    for frame in shown:
        correct(widget, frame, Label.OPTIMAL, outline)
    for frame in empty:
        correct(widget, frame, Label.NONE, np.zeros_like(outline))
    widget.presenter.view.navigator.go(100)
    qtbot.waitUntil(lambda: widget.page.frame.circumference.text().count("mm") == 1)

    out = learn("cls", "demo-cls", store, tmp_path / "my-cls")
    widget.page.settings.form.set_field("cls_model", out)
    after = analyse(widget, qtbot)
    truth = np.isin(np.arange(232), list(shown)).astype(float)
    frames = np.array([*shown, *empty])
    assert error_on(after, frames, truth) < error_on(before, frames, truth)
    assert len(store.corrections(sweep.identity)) == len(frames)
