import json
import shutil
import subprocess
import sys

import pytest

from fetal_iqa_models import load_card, model_hash
from napari_fetal_iqa.finetuning.event_log import parsed
from napari_fetal_iqa.finetuning.request import FinetuningRequest
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.io.write import write_volume
from napari_fetal_iqa.storage.settings import Settings, save_settings
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import correct, disc_volume


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def test_a_dry_run_reports_what_there_is_and_imports_no_torch(corrected, tmp_path):
    store, _, _ = corrected
    code = (
        "import sys\nfrom fetal_iqa_training.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print('torch' in sys.modules)"
    )
    arguments = ["finetune", "--corrections", store, "--task", "both", "--out", tmp_path / "m"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments), "--dry-run", "--json-progress"],
        capture_output=True,
        text=True,
        check=True,
    )
    *summaries, torch = done.stdout.splitlines()
    assert torch == "False"
    assert [line["task"] for line in map(json.loads, summaries)] == ["cls", "seg"]
    first = json.loads(summaries[0])
    assert (first["sweeps"], first["frames"], first["positives"], first["negatives"]) == (
        1,
        12,
        6,
        6,
    )
    assert first["reviewers"] == ["AK"]
    assert first["hold_out"] == {"sweeps": 0, "frames": 0, "positives": 0, "negatives": 0}
    assert first["problem"] is None
    assert first["note"].startswith("no hold-out")
    assert not (tmp_path / "m").exists()


def test_the_trainer_understands_what_the_window_requests(corrected, bases):
    store, _, _ = corrected
    request = FinetuningRequest(store, "both", (str(bases / "cls"), str(bases / "seg")), "careful")
    done = subprocess.run(request.dry_run(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = parsed(done.stdout.encode().splitlines())
    assert [(one.task, one.frames, one.positives, one.problem) for one in found] == [
        ("cls", 12, 6, None),
        ("seg", 12, 6, None),
    ]


def test_outlines_learnt_from_abdomens_alone_are_advised_against(tmp_path, command, bases):
    frames, masks = disc_volume(51)
    shown = [int(number) for number in masks.any(axis=(1, 2)).nonzero()[0][:5]]
    for more, advised in (([], True), ([0], False)):
        store = correct(tmp_path, frames, masks, [*shown, *more])
        code, _, err = command("finetune", "--corrections", store, "--task", "seg", "--base",
            bases / "seg", "--out", tmp_path / "m", "--dry-run",
        )  # fmt: skip
        assert code == 0, err
        assert ("every frame to learn from shows an abdomen" in err) is advised


def test_a_dry_run_reports_what_there_is_too_little_of(tmp_path, command):
    frames, masks = disc_volume(0)
    store = correct(tmp_path, frames, masks, [0])
    code, _, err = command("finetune", "--corrections", store, "--task", "cls", "--out",
        tmp_path / "m", "--dry-run",
    )  # fmt: skip
    assert code == 1
    assert "0 frames with and 1 frame without an abdomen" in err
    assert "1 frame of 1 sweep, 0 with an abdomen, by AK; held out: 0 frames" in err


def test_a_dry_run_fails_where_the_training_would(bases, corrected, tmp_path, command):
    store, _, _ = corrected
    frames, masks = disc_volume(52)
    correct(tmp_path, frames, masks, range(12), name="another")
    (tmp_path / "taken").mkdir()
    base = ["--base", bases / "seg"]
    lacking = tmp_path / "lacking"
    shutil.copytree(bases / "seg", lacking)
    card = json.loads((lacking / "model.json").read_text())
    card["encoder_weights"] = {"name": "fetalclip.pt", "sha256": "0" * 64}
    (lacking / "model.json").write_text(json.dumps(card))
    options = ["--corrections", store, "--task", "seg", "--dry-run"]
    cases = [
        (["--out", tmp_path / "taken"], "taken: exists already"),
        (["--out", tmp_path / "m", "--base", bases / "cls"], "is a cls model"),
        (["--out", tmp_path / "m", "--base", tmp_path / "none"], "no such model folder"),
        (["--out", tmp_path / "m", "--reference", tmp_path], "found none; choose the folder"),
        (["--out", tmp_path / "m", "--sweeps", tmp_path / "none"], "no such folder of sweeps"),
        (["--out", store / "m"], "cannot be written"),
        (["--out", tmp_path / "m", "--batch-size", "5", "--devices", "2"], "cannot be shared by 2"),
        (["--out", tmp_path / "m", "--targets", "nosuch", *base], "takes no LoRA on nosuch"),
        (["--out", tmp_path / "m", "--weights", tmp_path / "none"], "no such file of weights"),
        (["--out", tmp_path / "m", "--device", "mps"], "has no mps device"),
        (["--out", tmp_path / "m", "--base", lacking], "which are not here"),
    ]
    for more, message in cases:
        code, out, err = command("finetune", *options, *more)
        assert (code, out) == (1, "")
        assert message in err
    whole = [*options, "--out", tmp_path / "m"]
    assert command("finetune", *whole)[0] == 0
    kept = (tmp_path / "another.mha").read_bytes()
    write_volume(tmp_path / "another.mha", frames[::-1], (1.0, 1.0))  # of the same shape
    code, _, err = command("finetune", *whole)
    assert code == 1
    assert "another.mha: has changed since its frames were corrected" in err
    assert command("finetune", *whole, "--shapes-only")[0] == 0
    (tmp_path / "another.mha").write_bytes(kept)
    for path in tmp_path.glob("*.mha"):
        path.unlink()
    code, _, err = command("finetune", *options, "--out", tmp_path / "m")
    assert code == 1
    assert "2 sweeps are not found" in err
    assert err.count("is gone") == 2


def test_a_dry_run_reads_the_earlier_data_and_the_weights(
    bases, corrected, data, tmp_path, command
):
    none = tmp_path / "none.pt"
    none.write_text("no weights")
    damaged = shutil.copytree(data, tmp_path / "damaged")
    for path in sorted((damaged / "images").rglob("*.mha"))[:2]:
        path.write_bytes(path.read_bytes()[:-300])
    base = ["--base", bases / "seg"]
    options = ["--corrections", corrected[0], "--task", "seg", "--out", tmp_path / "m", "--dry-run"]
    lacking = shutil.copytree(bases / "seg", tmp_path / "lacking")
    card = json.loads((lacking / "model.json").read_text())
    card["encoder_weights"] = {"name": "fetalclip.pt", "sha256": "0" * 64}
    (lacking / "model.json").write_text(json.dumps(card))
    careful = ["--preset", "careful", "--reference", data]
    code, _, err = command("finetune", *options, *base, *careful, "--rehearse", data)
    assert code == 1
    assert "10 of its 10 cases would be rehearsed" in err
    more = ["--rehearse", damaged, "--weights", none, "--batch-size", "5", "--devices", "2"]
    code, _, err = command("finetune", *options, *careful, *more, "--base", lacking)
    assert code == 1
    assert "4 problems" in err
    assert "none.pt: not the weights that" in err
    assert "cannot be shared by 2" in err
    assert err.count("case0.mha") == err.count("case1.mha") == 1
    assert command("finetune", *options, *careful, *base, *more[:4], "--shapes-only")[0] == 0
    code, _, err = command("finetune", *options, *base, "--reference", data)
    assert code == 1
    assert "all of its cases teach the model, or taught its base" in err
    for number in (61, 62):
        frames, masks = disc_volume(number)
        sweep = SweepVolume(frames, (1.0, 1.0), name=f"new{number}")
        write_case(tmp_path / "new", f"new{number}", sweep, masks, [100.0] * 6, f"other{number}")
    assert command("finetune", *options, *base, "--reference", tmp_path / "new")[0] == 0


def test_both_tasks_are_finetuned_from_the_models_in_use(bases, corrected, tmp_path, command):
    store, _, _ = corrected
    save_settings(Settings(cls_model=str(bases / "cls"), seg_model=str(bases / "seg")))
    code, out, err = command("finetune", "--corrections", store, "--task", "both", "--out",
        tmp_path / "mine", "--steps", "3", "--batch-size", "4", "--rank", "4", "--targets",
        "attn.proj", "--device", "cpu", "--json-progress",
    )  # fmt: skip
    assert code == 0, err
    events = lines(out)
    assert [(e["event"], e["task"]) for e in events if e["event"] in ("summary", "done")] == [
        ("summary", "cls"),
        ("summary", "seg"),
        ("done", "cls"),
        ("done", "seg"),
    ]
    for task in ("cls", "seg"):
        card = load_card(tmp_path / f"mine-{task}")
        assert card.parent == model_hash(bases / task)
        assert (card.lora.rank, card.lora.alpha, card.lora.targets) == (4, 8, ("attn.proj",))


@pytest.mark.parametrize(
    ("given", "message"),
    [(["cls"], "0 bases for seg"), (["cls", "cls"], "2 bases for cls")],
)
def test_both_tasks_need_a_base_each(bases, corrected, tmp_path, given, message, command):
    store, _, _ = corrected
    named = [part for task in given for part in ("--base", bases / task)]
    code, _, err = command("finetune", "--corrections", store, "--task", "both", *named,
        "--out", tmp_path / "mine", "--steps", "1", "--device", "cpu",
    )  # fmt: skip
    assert code == 1
    assert message in err


@pytest.fixture
def files_up_to():
    """Let this process write files of so many bytes and no more, as on a full disk."""
    resource = pytest.importorskip("resource", reason="Windows sets no limit on files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda room: resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [20_000, 120_000], ids=["frames", "checkpoint"])
def test_a_disk_that_is_full_is_one_line_and_leaves_no_model(
    bases, corrected, tmp_path, files_up_to, room, command
):
    store, _, _ = corrected
    files_up_to(room)
    code, _, err = command("finetune", "--corrections", store, "--task", "cls", "--base",
        bases / "cls", "--out", tmp_path / "mine", "--steps", "3", "--batch-size", "4",
        "--device", "cpu",
    )  # fmt: skip
    assert code == 1
    (line,) = [line for line in err.splitlines() if "Error" in line]
    assert "disk" in line
    assert "Traceback" not in err
    assert not (tmp_path / "mine").exists()


def test_several_processes_train_one_task_at_a_time(tmp_path, command):
    code, _, err = command("finetune", "--corrections", "s", "--task", "both", "--out", "o",
        "--devices", "2",
    )  # fmt: skip
    assert code == 2
    assert "one task at a time" in err


def test_the_options_of_a_fine_tuning_lie_beside_the_child_and_make_it_again(
    bases, corrected, tmp_path, command
):
    store, _, _ = corrected
    code, _, err = command("finetune", "--corrections", store, "--task", "cls", "--base",
        bases / "cls", "--out", tmp_path / "mine", "--steps", "2", "--batch-size", "4",
        "--device", "cpu", "--reviewer", "AK",
    )  # fmt: skip
    assert code == 0, err
    config = tmp_path / "mine.config.json"
    options = json.loads(config.read_text())["options"]
    assert (options["corrections"], options["reviewer"]) == ([str(store)], "AK")
    assert str(store) not in (tmp_path / "mine" / "model.json").read_text()
    code, _, err = command("finetune", "--config", config, "--out", tmp_path / "again")
    assert code == 0, err
    weights = [
        (tmp_path / name / file.name).read_bytes()
        for name in ("mine", "again")
        for file in sorted((tmp_path / "mine").glob("*.safetensors"))
    ]
    half = len(weights) // 2
    assert weights[:half] == weights[half:]
    assert half
