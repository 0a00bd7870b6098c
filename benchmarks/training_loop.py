"""Samples a second of our training loop against a plain PyTorch loop on the same data.

    python benchmarks/training_loop.py [--steps 30] [--runs 3] [--device auto]

Both fine-tune a demo model with a LoRA adapter in batches of 16 of the same augmented frames, with
AdamW; the plain loop has no checkpoint, no progress, no validation. They take turns, the first turn
is for warmth, and the fastest of the others counts.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from fetal_iqa_models import LoraSettings, choose_device, load_model, set_strategy
from fetal_iqa_training.frame_set import FrameDataset, build_frame_set
from fetal_iqa_training.learner import FrameLearner
from fetal_iqa_training.loop import Course, run_training
from fetal_iqa_training.old_data import old_frames, reference_phantoms
from fetal_iqa_training.progress import silent
from fetal_iqa_training.sampling import BalancedDraws
from fetal_iqa_training.settings import FinetuneSettings

BATCH = 16


def learner_of(task: str, settings: FinetuneSettings) -> FrameLearner:
    """A demo model with a new adapter."""
    network = load_model(f"demo-{task}")
    torch.manual_seed(0)
    set_strategy(network, "lora", LoraSettings())
    return FrameLearner(network, settings)


def plain(learner: FrameLearner, loader: DataLoader, device: torch.device) -> float:
    """Seconds of the loop that everybody writes."""
    learner.to(device).train()
    trained = [p for p in learner.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4)
    started = time.perf_counter()
    for frames, masks, positive in loader:
        frames, masks, positive = (part.to(device) for part in (frames, masks, positive))
        loss = learner.loss(learner.model(learner.normalise(frames)), masks, positive)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(f"{options.steps} steps of {BATCH} frames, {device}, {torch.get_num_threads()} threads")
    print(f"{'task':6}{'plain, frames/s':>18}{'ours, frames/s':>18}{'ours / plain':>14}")
    for task in ("cls", "seg"):
        settings = FinetuneSettings(
            task=task, batch_size=BATCH, device=device.type, precision="fp32", learning_rate=1e-4
        )
        with tempfile.TemporaryDirectory() as folder:
            size = load_model(f"demo-{task}").encoder.spec.image_size
            frames = build_frame_set(old_frames(reference_phantoms()), size, Path(folder, "frames"))
            kinds = [frames.positive.nonzero()[0], (~frames.positive).nonzero()[0]]

            def loader(frames=frames, kinds=kinds) -> DataLoader:
                draws = BalancedDraws(kinds, options.steps * BATCH, seed=0)
                return DataLoader(FrameDataset(frames), BATCH, sampler=draws)

            times: dict[str, list[float]] = {"plain": [], "ours": []}
            for number in range(1 + options.runs):
                times["plain"].append(plain(learner_of(task, settings), loader(), device))
                learner, work = learner_of(task, settings), Path(folder, str(number))
                one_frame = DataLoader(FrameDataset(frames), 1, sampler=[0])
                started = time.perf_counter()
                run_training(learner, loader(), one_frame, work, settings, Course(epochs=1), silent)
                times["ours"].append(time.perf_counter() - started)
        count = options.steps * BATCH
        theirs, own = (count / min(seconds[1:]) for seconds in times.values())
        print(f"{task:6}{theirs:18.1f}{own:18.1f}{own / theirs:14.2f}")


if __name__ == "__main__":
    main()
