import json
import shutil

import numpy as np
import pytest

from fetal_iqa_models import load_card, load_model, model_hash, model_id
from fetal_iqa_training.data.any_sweeps import list_sweeps
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.hold_out import is_held_out
from fetal_iqa_training.data.split import split_by_subject
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.distilling.answers import Teacher
from fetal_iqa_training.fitting.distilling.distil import distil, prepare
from fetal_iqa_training.fitting.distilling.sides import known
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.settings import DistilSettings
from napari_fetal_iqa.analysis import Analyser
from napari_fetal_iqa.io.write import write_volume
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.wording import in_words
from napari_fetal_iqa.sweep import SweepVolume

from ...conftest import disc_volume, tiny_settings


def quick(task, **changes):
    """Settings of a student of seconds."""
    quick = {
        "task": task, "encoder": "fetalclip-tiny", "epochs": 12, "balanced": 160, "batch_size": 16,
        "device": "cpu", "learning_rate": 2e-3, "head_rate": 5.0, "validation_share": 0.2,
    }  # fmt: skip
    return DistilSettings.model_validate(quick | changes)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """Ten sweeps of nobody known, without a label: as many files, some of which judge by hash."""
    folder = tmp_path_factory.mktemp("unlabelled")
    for number in range(10):
        write_volume(folder / f"s{number}.mha", disc_volume(100 + number)[0], (1.0, 1.0))
    return folder


@pytest.fixture(scope="module")
def students(bases, sweeps, tmp_path_factory):
    """Students of both teachers, and what they reported."""
    folder, made = tmp_path_factory.mktemp("students"), {}
    for task in ("cls", "seg"):
        events = []
        sides = prepare(bases / task, known(list_sweeps(sweeps), events.append), quick(task))
        distil(bases / task, sides, folder / task, quick(task), report=events.append)
        made[task] = sides, events
    return folder, made


@pytest.mark.parametrize(("task", "figure", "least"), [("cls", "f1", 0.75), ("seg", "dice", 0.65)])
def test_a_student_learns_from_sweeps_without_labels_what_its_teacher_says(
    students, bases, task, figure, least
):
    folder, made = students
    card, sides = load_card(folder / task), made[task][0]
    assert card.metrics["agreement"]["frames"] == 36 * len(sides.judge)
    assert card.metrics["agreement"][figure] > least
    assert "test" not in card.metrics  # nobody annotated any
    digest = model_hash(bases / task)
    teacher = load_card(bases / task)
    assert card.training["teacher"] == {
        "id": model_id(task, digest), "hash": digest, "name": teacher.name,
    }  # fmt: skip
    assert (card.parent, card.demo, card.licence) == (None, teacher.demo, teacher.licence)
    assert teacher.name in card.name
    assert card.training["embeddings_learnt"] == (task == "cls")


def test_it_reports_as_a_fit_does_and_leaves_nothing_beside_the_model(students):
    folder, made = students
    events = made["cls"][1]
    kinds = list(dict.fromkeys(event.event for event in events))
    assert kinds == ["reading", "encoding", "step", "validation", "evaluating"]
    assert sorted(path.name for path in folder.iterdir()) == ["cls", "seg"]


def test_the_students_are_used_like_any_model(students, sweeps):
    folder, _ = students
    analyser = Analyser(folder / "cls", folder / "seg", "cpu", engine="torch")
    sweep = SweepVolume(disc_volume(300)[0], (1.0, 1.0))
    found = list(analyser.run(sweep))
    assert sum(len(batch.frames) for batch in found) == 36
    library = ModelLibrary()
    entry = library.find(str(folder / "cls"))
    library.use(entry)
    assert entry.card is not None
    assert any("student of: " in line for line in in_words(entry, entry.card, [entry]))


def test_who_was_held_out_stays_so_and_the_card_says_who_taught(students, bases):
    folder, made = students
    for task, (sides, _) in made.items():
        assert sides.judge
        assert all(is_held_out(one.sweep.unit) for one in sides.judge)
        assert not any(is_held_out(one.sweep.unit) for one in (*sides.teach, *sides.choose))
        taught, before = load_card(folder / task).taught, load_card(bases / task).taught
        assert set(before.learnt) < set(taught.learnt)  # the whole lineage
        assert all(taught.learnt_from(one.things) for one in sides.teach)
        assert all(taught.chosen_by(one.things) for one in sides.choose)
        assert all(taught.tested_on(one.things) for one in sides.judge)
        assert not any(taught.learnt_from(one.things) for one in sides.judge)


def test_what_tested_the_teacher_judges_the_student_under_any_name(
    data, renamed, tmp_path, monkeypatch
):
    settings = tiny_settings("cls", test_share=0.3)
    fit(data, tmp_path / "cls", settings)
    split = split_by_subject(list_annotated(data), 0.1, 0.3, settings.seed)
    tested = {case.name for case in split.test}
    chose = {case.name for case in split.validation}
    for folder, prefix in ((data, ""), (renamed, "other-")):
        sides = prepare(tmp_path / "cls", known(list_sweeps(folder)), quick("cls"))
        names = {one.sweep.name.removeprefix(prefix) for one in sides.judge}
        assert tested == names
        assert {one.sweep.name.removeprefix(prefix) for one in sides.choose} == chose


def test_annotations_judge_both_and_teach_nobody(bases, data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "fetal_iqa_training.fitting.distilling.sides.is_held_out", lambda unit: True
    )
    settings = quick("seg", epochs=1)
    fit(data, tmp_path / "seg", tiny_settings("seg", test_share=0.3))
    sides = prepare(tmp_path / "seg", known(list_sweeps(data)), settings)
    card = distil(tmp_path / "seg", sides, tmp_path / "small", settings, rehearse=data)
    assert card.training["rehearsed"] == 30 * len(sides.teach)
    assert card.metrics["test"]["frames"] == 30 * len(sides.judge)
    assert set(card.metrics["teacher"]["test"]) == set(card.metrics["test"])


def test_what_is_rehearsed_is_learnt_as_annotated_and_never_judges(
    bases, sweeps, data, tmp_path, monkeypatch
):
    learnt = []
    answers = Teacher.answers

    def noted(self, source, kept, truth=False):
        found = answers(self, source, kept, truth)
        if truth:
            learnt.append(np.array_equal(found.quality > 0.5, source.positive))
        return found

    monkeypatch.setattr(Teacher, "answers", noted)
    settings = quick("cls", epochs=1)
    sides = prepare(bases / "cls", known(list_sweeps(sweeps)), settings)
    card = distil(bases / "cls", sides, tmp_path / "small", settings, rehearse=data)
    assert learnt == [True] * 50
    assert card.training["rehearsed"] == 300
    assert card.taught.learnt_from([("case", "case3")])
    sides = prepare(bases / "cls", known(list_sweeps(data)), settings)
    judging = {one.sweep.name for one in (*sides.judge, *sides.choose, *sides.set_aside)}
    card = distil(bases / "cls", sides, tmp_path / "again", settings, rehearse=data)
    assert judging
    assert card.training["rehearsed"] == 30 * (10 - len(judging))


def test_a_run_that_is_stopped_makes_no_model_and_the_next_one_asks_no_frame_twice(
    bases, sweeps, tmp_path, monkeypatch
):
    asked = []
    ask = Teacher._ask
    monkeypatch.setattr(Teacher, "_ask", lambda self, frames: asked.append(1) or ask(self, frames))
    settings = quick("cls", epochs=1)
    sides = prepare(bases / "cls", known(list_sweeps(sweeps)), settings)
    n_asked = len(sides.teach) + len(sides.choose)
    stop = tmp_path / "stop"

    def report(progress):
        if progress.event == "encoding" and progress.done == 3:
            stop.touch()

    run = bases / "cls", sides, tmp_path / "small", settings
    with pytest.raises(TrainingError, match="no model was written"):
        distil(*run, report=report, stop_file=stop)
    assert not (tmp_path / "small").exists()
    stop.unlink()
    distil(*run, stop_file=stop)
    assert len(asked) == n_asked + 1  # the one that was cut off had said nothing


def test_a_student_that_is_stopped_while_it_learns_is_judged_and_kept(bases, sweeps, tmp_path):
    settings = quick("cls", epochs=3)
    sides = prepare(bases / "cls", known(list_sweeps(sweeps)), settings)
    stop = tmp_path / "stop"

    def report(progress):
        if progress.event == "validation":
            stop.touch()

    card = distil(bases / "cls", sides, tmp_path / "small", settings, report=report, stop_file=stop)

    assert "stopped" in card.training
    assert card.metrics["agreement"]["frames"] == 36 * len(sides.judge)


def test_the_command_makes_both_students_and_a_dry_run_none(
    bases, sweeps, tmp_path, command, monkeypatch
):
    common = (
        "distil", "--teacher", bases / "cls", "--teacher", bases / "seg", "--data", sweeps,
        "--student", "fetalclip-tiny", "--out", tmp_path / "small", "--epochs", "1", "--samples",
        "32", "--device", "cpu",
    )  # fmt: skip
    code, out, err = command(*common, "--dry-run")
    assert (code, out) == (0, "")
    assert "cls: learns from cls; of the examinations" in err
    assert "judge" in err
    assert not list(tmp_path.iterdir())
    code, out, err = command(*common)
    assert code == 0, err
    made = json.loads(out)
    assert [one["model"] for one in made] == [str(tmp_path / f"small-{t}") for t in ("cls", "seg")]
    assert (tmp_path / "small.config.json").is_file()
    assert load_model(tmp_path / "small-seg").task == "seg"
    code, _, err = command(*common[:3], "--teacher", bases / "cls", *common[5:])
    assert code == 1
    assert "two teachers for cls" in err
    shutil.rmtree(tmp_path / "small-cls")
    code, _, err = command(*common)
    assert code == 1
    assert "exists already" in err
