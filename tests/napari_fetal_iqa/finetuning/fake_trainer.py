"""Speaks as the trainer does and learns nothing; how it goes is set by its first arguments."""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--pause", type=float, default=0.0, help="seconds a step")
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--until-stopped", action="store_true")
parser.add_argument("--deaf", action="store_true", help="ignore the wish to end")
parser.add_argument("--die", action="store_true", help="in the middle, with half a line")
parser.add_argument("--fail", action="store_true")
parser.add_argument("--worse", action="store_true")
parser.add_argument("--no-hold-out", action="store_true")
parser.add_argument("--too-little", action="store_true")
parser.add_argument("--sweep", default="0123456789abcdef")
parser.add_argument("finetune")
parser.add_argument("--corrections")
parser.add_argument("--task", choices=["cls", "seg", "both"])
parser.add_argument("--base", action="append")
parser.add_argument("--out", type=Path)
parser.add_argument("--preset")
parser.add_argument("--device")
parser.add_argument("--negatives", type=int)
parser.add_argument("--json-progress", action="store_true", required=True)
parser.add_argument("--stop-file", type=Path)
parser.add_argument("--dry-run", action="store_true")
parser.add_argument("--shapes-only", action="store_true")
options = parser.parse_args()
TASKS = ("cls", "seg") if options.task == "both" else (options.task,)


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def summary(task):
    say(
        event="summary",
        task=task,
        sweeps=3,
        frames=41,
        positives=20,
        negatives=21,
        reviewers=["AK"],
        hold_out={"sweeps": 1, "frames": 12, "positives": 6},
        problem="no frame has an outline; outline at least 4 frames" * options.too_little or None,
    )


def base_of(task):
    """The base of a task may be given before or after the other."""
    for base in options.base:
        card = Path(base) / "model.json"
        if card.is_file() and json.loads(card.read_text())["task"] == task:
            return Path(base)
    return None


def make_model(task, out):
    base = base_of(task)
    if base is None:
        out.mkdir(parents=True)
        (out / "model.json").write_text(json.dumps({"task": task}))
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(base, out)
    card = json.loads((out / "model.json").read_text())
    (out / "model.json").write_text(json.dumps(card | {"name": f"child {out.name}"}))


def of_one_model(task, main):
    found = {"frames": 12, "positives": 6, "accuracy": 0.9, "precision": 0.8, "recall": 0.7}
    if task == "seg":
        return found | {"f1": 0.75, "dice": main, "circumference_error_mm": 20 * (1 - main)}
    return found | {"f1": main, "average_precision": 0.88}


def metrics(task):
    was, now = (0.84, 0.71) if options.worse else (0.71, 0.84)
    sides = {
        "parent": {"corrections": of_one_model(task, was), "reference": of_one_model(task, 0.93)},
        "child": {"corrections": of_one_model(task, now), "reference": of_one_model(task, 0.92)},
    }
    unsure = {"difference": [-1.0, 1.0]}
    of_reference = dict.fromkeys(("f1", "dice", "circumference_error_mm"), unsure)
    if options.no_hold_out:
        note = {"note": "no hold-out: too few frames"}
        return sides | note | {"intervals": {"reference": of_reference}}
    sides["parent"]["hold_out"] = of_one_model(task, was)
    sides["child"]["hold_out"] = of_one_model(task, now)
    main = "f1" if task == "cls" else "dice"
    around = {
        "parent": [was - 0.1, was + 0.1],
        "child": [now - 0.1, now + 0.1],
        "difference": [now - was - 0.05, now - was + 0.06],
    }
    frame = {"sweep": options.sweep, "frame": 12, "before": 0.4, "after": 0.9}
    other = {"sweep": "f" * 64, "frame": 7, "before": 0.8, "after": 0.55}
    return sides | {
        "intervals": {"hold_out": {main: around}, "reference": of_reference},
        "changed": {"better": [frame, frame | {"frame": 15}], "worse": [other]},
    }


def learn(task):
    summary(task)
    for done in range(1, 4):
        say(event="reading", task=task, done=done, total=3)
    say(event="evaluating", task=task, done=1, total=2)
    step = 0
    while step < options.steps or options.until_stopped:
        if options.stop_file.exists():
            break
        step += 1
        say(event="step", task=task, done=step, total=options.steps, loss=1 / (1 + 0.1 * step))
        if step % 5 == 0:
            gained = 1 - 1 / (1 + 0.2 * step)
            say(event="validation", task=task, done=step, total=0, loss=0.3, metrics={"f1": gained})
        if options.die and step == 7:
            os.write(2, b"MemoryError: no more\n")
            os.write(1, b'{"event": "done", "task": ')
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(options.pause)
    say(event="evaluating", task=task, done=1, total=2)
    out = options.out
    if options.task == "both":
        out = out.with_name(f"{out.name}-{task}")
    make_model(task, out)
    say(event="done", task=task, model=str(out), hash="ab" * 32, metrics=metrics(task))


if options.deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for task in TASKS:
    if options.dry_run:
        summary(task)
    elif options.fail:
        say(event="error", message="the base is gone; choose another")
        sys.exit(1)
    else:
        learn(task)
