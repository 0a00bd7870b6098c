"""What a student keeps of its teacher, and how much quicker it is, on phantoms.

    python benchmarks/distil.py HOME [--student resnet-demo] [--epochs 10] [--samples 2000]

Teachers are the starter models, fitted to phantoms first (``--budget`` samples): their encoder is
SonoNet16 at 288 x 288, the largest here that has learnt anything. FetalCLIP's tower cannot be
trained without its weights; ``benchmarks/full_size.py`` has its speed. Then students learn from
other phantoms, whose labels are not read, and both are judged on a third set; the student that
outlines begins with the encoder of the one that scores, to learn faster. All that was made
stays in HOME, and is not made again: the same command once more only takes the time, which wants a
quiet machine. The time of a frame is that of its whole analysis by both models (562 x 744).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from engine import analysed

from fetal_iqa_models import load_card, load_encoder
from fetal_iqa_models.cards import Task
from fetal_iqa_training.data.phantoms import write_phantoms
from fetal_iqa_training.evaluation.evaluate import evaluate
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

TRAINED, UNLABELLED, JUDGED = (41_000, 6), (42_000, 24), (43_000, 4)
"""First seed and number of the cases of each set: no fetus is in two."""
TASKS: tuple[Task, ...] = ("cls", "seg")
FIGURES = {
    "cls": ("f1", "average_precision"),
    "seg": ("f1", "dice", "circumference_error_mm", "circumference_measured"),
}


def run(*words: object) -> None:
    """Run a command of training; its output is of no interest unless it fails."""
    subprocess.run(
        [sys.executable, "-m", "fetal_iqa_training", *map(str, words)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def make(home: Path, options: argparse.Namespace) -> tuple[dict[Task, Path], dict[Task, Path]]:
    """Make the phantoms, the teachers and the students that are not there yet."""
    for name, (seed, cases) in zip(
        ("trained", "unlabelled", "judged"), (TRAINED, UNLABELLED, JUDGED), strict=True
    ):
        write_phantoms(home / name, cases, seed)
    teachers = {task: home / f"teacher-{task}" for task in TASKS}
    for task, out in teachers.items():
        if not out.is_dir():
            run(
                "fit", "--data", home / "trained", "--task", task, "--encoder", "sononet16",
                "--start-from", f"starter-{task}", "--out", out, "--strategy", "full",
                "--fresh-copies", "--balanced", options.budget, "--epochs", 1, "--batch-size", 16,
                "--lr", 1e-4, "--schedule", "cosine", "--gradient-clip", 1, "--test-share", 0,
                "--demo", "--device", "cpu", *(("--cross-entropy", 1) if task == "seg" else ()),
            )  # fmt: skip
    students = {task: home / f"{options.student}-{options.epochs}-{task}" for task in TASKS}
    for task, out in students.items():
        if not out.is_dir():
            run(
                "distil", "--teacher", teachers[task], "--data", home / "unlabelled", "--student",
                options.student, "--out", out, "--epochs", options.epochs, "--samples",
                options.samples, "--every", 2, "--rehearse", home / "trained", "--device", "cpu",
                *(("--weights", students["cls"] / "encoder.safetensors") if task == "seg" else ()),
            )  # fmt: skip
    return teachers, students


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--student", default="resnet-demo")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--budget", type=int, default=400, help="samples that fit a teacher")
    parser.add_argument("--frames", type=int, default=840, help="frames that are timed; 0: none")
    options = parser.parse_args()
    options.home.mkdir(parents=True, exist_ok=True)
    models = dict(zip(("teacher", "student"), make(options.home, options), strict=True))
    found = options.home / f"figures-{options.student}-{options.epochs}.json"
    figures = json.loads(found.read_text()) if found.is_file() else {}
    for who, of_task in models.items():
        for task, folder in of_task.items():
            if f"{who} {task}" not in figures:
                judged = evaluate(folder, options.home / "judged", part="all", device="cpu")
                figures[f"{who} {task}"] = judged.as_metrics()
                found.write_text(json.dumps(figures, indent=1))
    print(f"{figures['teacher cls']['frames']} frames of {JUDGED[1]} phantoms that taught nobody\n")
    print(f"| | teacher (SonoNet16) | student ({options.student}) | share kept |")
    print("|---|---|---|---|")
    for task in TASKS:
        for name in FIGURES[task]:
            both = [figures[f"{who} {task}"].get(name) for who in ("teacher", "student")]
            told = ["nothing measured" if value is None else f"{value:g}" for value in both]
            known = name in ("f1", "dice") and None not in both and both[0]
            kept = f"{100 * both[1] / both[0]:.1f} %" if known else ""
            print(f"| {task.upper()} {name.replace('_', ' ')} | {' | '.join(told)} | {kept} |")
        metrics = load_card(models["student"][task]).metrics["agreement"]
        assert isinstance(metrics, dict)
        said = ", ".join(f"{name} {metrics[name]}" for name in FIGURES[task] if name in metrics)
        print(f"| {task.upper()} agreement on {metrics['frames']} frames held out | | {said} | |")
    for task in TASKS:
        sizes = [
            sum(one.numel() for one in load_encoder(load_card(of[task]).encoder).parameters()) / 1e6
            for of in models.values()
        ]
        print(f"| {task.upper()} encoder, million parameters | {sizes[0]:.2f} | {sizes[1]:.2f} | |")
    if options.frames:
        time_both(models, options)


def time_both(models: dict[str, dict[Task, Path]], options: argparse.Namespace) -> None:
    """Print how many frames a second each pair of models analyses, by each engine."""
    sweep = options.home / "timed.mha"
    if not sweep.is_file():
        write_volume(sweep, make_phantom(PhantomSettings(), 1).sweep.frames, (0.28, 0.28))
    rates: dict[tuple[str, str], float] = {}
    for who, of_task in models.items():
        for engine in ("plain", "openvino"):
            given = argparse.Namespace(
                cls=str(of_task["cls"]), seg=str(of_task["seg"]), frames=options.frames
            )
            rates[who, engine] = max(
                analysed(engine, given, str(sweep), str(options.home))["rate"] for _ in range(2)
            )
    for engine, words in (("plain", "torch, one by one"), ("openvino", "OpenVINO")):
        one, other = rates["teacher", engine], rates["student", engine]
        print(
            f"| frames a second, {words} | {one:.1f} | {other:.1f} | {other / one:.1f} x as quick |"
        )
    print(f"\nstudent in OpenVINO: {rates['student', 'openvino'] / rates['teacher', 'plain']:.1f} "
          "times the teacher in torch")  # fmt: skip


if __name__ == "__main__":
    main()
