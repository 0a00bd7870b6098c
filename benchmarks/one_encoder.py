"""One encoder with two heads beside two networks, on phantoms: what it costs, and what it saves.

    python benchmarks/one_encoder.py HOME [--encoder sononet16] [--epochs 2] [--samples 400]

All three are fitted by the same settings to the same phantoms (those of ``benchmarks/distil.py``,
where HOME is the same): LoRA on pretrained weights where the encoder has some, else everything.
Then they are judged on phantoms that taught nobody, and timed over frames of 562 x 744, by torch
and by OpenVINO. All that was made stays in HOME, and is not made again.
"""

import argparse
import json
from pathlib import Path

from distil import FIGURES, JUDGED, TASKS, TRAINED, run
from engine import analysed

from fetal_iqa_models import load_card
from fetal_iqa_training.data.phantoms import write_phantoms
from fetal_iqa_training.evaluation.evaluate import evaluate
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--encoder", default="sononet16")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--frames", type=int, default=60, help="frames that are timed")
    options = parser.parse_args()
    home, begin = options.home, f"{options.encoder}-{options.epochs}-{options.samples}"
    for name, (seed, cases) in zip(("trained", "judged"), (TRAINED, JUDGED), strict=True):
        write_phantoms(home / name, cases, seed)
    made = {
        "two networks": {task: home / f"{begin}-alone-{task}" for task in TASKS},
        "one encoder": {task: home / f"{begin}-both-{task}" for task in TASKS},
    }
    for task, out in {
        "cls": home / f"{begin}-alone-cls",
        "seg": home / f"{begin}-alone-seg",
        "both": home / f"{begin}-both",
    }.items():
        if (out if task != "both" else made["one encoder"]["seg"]).is_dir():
            continue
        run(
            "fit", "--data", home / "trained", "--task", task, "--encoder", options.encoder,
            "--out", out, "--fresh-copies", "--balanced", options.samples, "--epochs",
            options.epochs, "--batch-size", 16, "--lr", 1e-3, "--schedule", "cosine", "--head-rate",
            3, "--gradient-clip", 1, "--test-share", 0, "--demo", "--device", "cpu",
            *(() if task == "cls" else ("--cross-entropy", 1)),
        )  # fmt: skip
    found = home / f"figures-{begin}.json"
    figures = json.loads(found.read_text()) if found.is_file() else {}
    for way, of_task in made.items():
        for task, folder in of_task.items():
            if f"{way} {task}" not in figures:
                judged = evaluate(folder, home / "judged", part="all", device="cpu")
                figures[f"{way} {task}"] = judged.as_metrics()
                found.write_text(json.dumps(figures, indent=1))
    strategy = "LoRA" if load_card(made["one encoder"]["cls"]).lora else "everything"
    frames = figures["one encoder cls"]["frames"]
    print(f"{options.encoder}, {strategy} trained; {frames} frames of {JUDGED[1]} phantoms\n")
    print("| | two networks | one encoder, two heads |")
    print("|---|---|---|")
    for task in TASKS:
        for name in FIGURES[task]:
            row = " | ".join(f"{figures[f'{way} {task}'][name]:g}" for way in made)
            print(f"| {task.upper()} {name.replace('_', ' ')} | {row} |")
    sweep = home / "timed.mha"
    if not sweep.is_file():
        write_volume(sweep, make_phantom(PhantomSettings(), 1).sweep.frames, (0.28, 0.28))
    for engine, words in (("torch", "torch"), ("openvino", "OpenVINO")):
        rates = []
        for of_task in made.values():
            given = argparse.Namespace(
                cls=str(of_task["cls"]), seg=str(of_task["seg"]), frames=options.frames
            )
            rates.append(max(analysed(engine, given, str(sweep), str(home))["rate"] for _ in "ab"))
        print(f"| frames a second, {words} | {rates[0]:.1f} | {rates[1]:.1f} |")


if __name__ == "__main__":
    main()
