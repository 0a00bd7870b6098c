"""Samples a second of our training loop against a plain PyTorch loop on the same data.

    python benchmarks/training_loop.py [--steps 30] [--runs 3] [--device auto]

Both fine-tune a demo model with a LoRA adapter in batches of 16 of the same augmented frames, with
AdamW; the plain loop has no checkpoint, no progress, no validation. In the last row both train the
head alone for five epochs of every frame and two copies: there our encoder, which is frozen, sees
each only once. They take turns, the first turn is for warmth, and the fastest of the others counts.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from fetal_iqa_models import LoraSettings, choose_device, load_model, set_strategy
from fetal_iqa_training.frame_set import Draw, FrameDataset, FrameSet, build_frame_set
from fetal_iqa_training.frozen_encoder import HeadLearner, encode
from fetal_iqa_training.learner import FrameLearner, Network
from fetal_iqa_training.loop import Course, run_training
from fetal_iqa_training.old_data import old_frames, reference_phantoms
from fetal_iqa_training.progress import silent
from fetal_iqa_training.sampling import BalancedDraws, EveryFrame
from fetal_iqa_training.settings import FinetuneSettings

BATCH, EPOCHS, COPIES = 16, 5, 2


def network_of(task: str, strategy: str) -> Network:
    """A demo model, ready to be trained."""
    network = load_model(f"demo-{task}")
    torch.manual_seed(0)
    set_strategy(network, strategy, LoraSettings())
    return network


def plain(learner: FrameLearner, loader: DataLoader, epochs: int, device: torch.device) -> None:
    """The loop that everybody writes."""
    learner.to(device).train()
    trained = [p for p in learner.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4)
    for _ in range(epochs):
        for frames, masks, positive in loader:
            frames, masks, positive = (part.to(device) for part in (frames, masks, positive))
            loss = learner.loss(learner.logits(frames), masks, positive)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()


def ours(
    learner: FrameLearner,
    examples: Dataset,
    sampler: Sampler[Draw],
    epochs: int,
    settings: FinetuneSettings,
    work: Path,
) -> None:
    """Our loop; it looks at one frame after each epoch."""
    training = DataLoader(examples, BATCH, sampler=sampler)
    one = DataLoader(examples, 1, sampler=[0])
    run_training(learner, training, one, work, settings, Course(epochs=epochs), silent)


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(
    title: str, count: int, runs: int, plainly: Callable[[], None], our_way: Callable[[Path], None]
) -> None:
    """Print a row of the table: frames a second of both, and the ratio."""
    took: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1 + runs):
            took["plain"].append(seconds(plainly))
            work = Path(folder, str(number))
            work.mkdir()
            took["ours"].append(seconds(lambda work=work: our_way(work)))
    theirs, own = (count / min(times[1:]) for times in took.values())
    print(f"{title:12}{theirs:18.1f}{own:18.1f}{own / theirs:14.2f}", flush=True)


def with_adapter(
    task: str, frames: FrameSet, steps: int, runs: int, settings: FinetuneSettings
) -> None:
    examples = FrameDataset(frames)
    kinds = [frames.positive.nonzero()[0], (~frames.positive).nonzero()[0]]
    device = torch.device(settings.device)

    def sampler() -> BalancedDraws:
        return BalancedDraws(kinds, steps * BATCH, seed=0)

    def learner() -> FrameLearner:
        return FrameLearner(network_of(task, "lora"), settings)

    compare(
        task,
        steps * BATCH,
        runs,
        lambda: plain(learner(), DataLoader(examples, BATCH, sampler=sampler()), 1, device),
        lambda work: ours(learner(), examples, sampler(), 1, settings, work),
    )


def head_alone(frames: FrameSet, runs: int, settings: FinetuneSettings) -> None:
    examples, every = FrameDataset(frames), EveryFrame(len(frames), COPIES, seed=0)
    device = torch.device(settings.device)

    def plainly() -> None:
        learner = FrameLearner(network_of("cls", "linear"), settings)
        plain(learner, DataLoader(examples, BATCH, sampler=every), EPOCHS, device)

    def our_way(work: Path) -> None:
        learner = HeadLearner(network_of("cls", "linear"), settings)
        features = encode(learner, frames, COPIES, settings, work / "features", silent)
        sampler = EveryFrame(len(features), 0, seed=0)
        ours(learner, features, sampler, EPOCHS, settings, work)

    compare("cls, head", EPOCHS * len(every), runs, plainly, our_way)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(f"{options.steps} steps of {BATCH} frames, {device}, {torch.get_num_threads()} threads")
    print(f"{'task':12}{'plain, frames/s':>18}{'ours, frames/s':>18}{'ours / plain':>14}")
    for task in ("cls", "seg"):
        settings = FinetuneSettings(
            task=task, batch_size=BATCH, device=device.type, precision="fp32", learning_rate=1e-4
        )
        with tempfile.TemporaryDirectory() as folder:
            size = load_model(f"demo-{task}").encoder.spec.image_size
            frames = build_frame_set(old_frames(reference_phantoms()), size, Path(folder))
            with_adapter(task, frames, options.steps, options.runs, settings)
            if task == "cls":
                head_alone(frames, options.runs, settings)


if __name__ == "__main__":
    main()
