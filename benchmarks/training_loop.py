"""Samples a second of our training loop against a plain PyTorch loop on the same data.

    python benchmarks/training_loop.py [--steps 60] [--runs 2] [--device auto]

Both fine-tune a demo model with a LoRA adapter in batches of 16 of the same augmented frames, with
AdamW; the plain loop has no checkpoint, no progress, no validation. They take turns, a step each,
so that whatever else the machine does slows both; the median step counts. In the row of the head
both train it alone for five epochs of every frame and two copies: there our encoder, which is
frozen, sees each only once. They take turns as a whole, and the fastest run counts.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Semaphore, Thread

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from fetal_iqa_models import LoraSettings, choose_device, load_model, set_strategy
from fetal_iqa_models.networks import Network
from fetal_iqa_training.data.frame_set import FrameDataset, FrameSet, Sample, build_frame_set
from fetal_iqa_training.data.phantoms import balanced_frames, reference_phantoms
from fetal_iqa_training.fitting.frozen_encoder import HeadLearner, encode
from fetal_iqa_training.fitting.module import FrameLearner
from fetal_iqa_training.fitting.samplers import BalancedSampler, EveryFrame
from fetal_iqa_training.fitting.trainer import Schedule, run_training
from fetal_iqa_training.progress import Progress, silent
from fetal_iqa_training.settings import FinetuneSettings

BATCH, EPOCHS, COPIES = 16, 5, 2


def network_of(task: str, strategy: str) -> Network:
    """A demo model, ready to be trained."""
    network = load_model(f"demo-{task}")
    torch.manual_seed(0)
    set_strategy(network, strategy, LoraSettings())
    return network


class Turns:
    """Two threads that take turns, a step each, and how long their steps took."""

    def __init__(self) -> None:
        self.seconds: tuple[list[float], list[float]] = [], []
        self._may_go = Semaphore(1), Semaphore(0)
        self._one_is_gone = False
        self._started = 0.0

    def wait(self, who: int) -> None:
        """Wait until it is one's turn, which begins with this."""
        if not self._one_is_gone:
            self._may_go[who].acquire()
        self._started = time.perf_counter()

    def step(self, who: int) -> None:
        """End one's step; wait for the next turn."""
        self.seconds[who].append(time.perf_counter() - self._started)
        self._may_go[1 - who].release()
        self.wait(who)

    def leave(self, who: int) -> None:
        """Have no more steps: the other goes on alone."""
        self._one_is_gone = True
        self._may_go[1 - who].release()


def plain(
    learner: FrameLearner,
    loader: DataLoader,
    epochs: int,
    device: torch.device,
    after_step: Callable[[], None] = lambda: None,
) -> None:
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
            after_step()


def ours(
    learner: FrameLearner,
    examples: Dataset,
    sampler: Sampler[Sample],
    epochs: int,
    settings: FinetuneSettings,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Our loop; it looks at one frame after each epoch."""
    training = DataLoader(examples, BATCH, sampler=sampler)
    one = DataLoader(examples, 1, sampler=[0])

    def report(progress: Progress) -> None:
        if progress.event == "step":
            after_step()

    with tempfile.TemporaryDirectory() as work:
        run_training(learner, training, one, Path(work), settings, Schedule(epochs=epochs), report)


def print_row(title: str, theirs: float, own: float) -> None:
    print(f"{title:12}{theirs:18.1f}{own:18.1f}{own / theirs:14.2f}", flush=True)


def with_adapter(task: str, frames: FrameSet, steps: int, settings: FinetuneSettings) -> None:
    examples = FrameDataset(frames)
    kinds = [frames.positive.nonzero()[0], (~frames.positive).nonzero()[0]]
    learners = [FrameLearner(network_of(task, "lora"), settings) for _ in range(2)]
    turns = Turns()

    def sampler() -> BalancedSampler:
        return BalancedSampler(kinds, steps * BATCH, seed=0)

    def plainly() -> None:
        loader = DataLoader(examples, BATCH, sampler=sampler())
        turns.wait(0)
        plain(learners[0], loader, 1, torch.device(settings.device), lambda: turns.step(0))
        turns.leave(0)

    other = Thread(target=plainly, daemon=True)
    other.start()
    turns.wait(1)
    ours(learners[1], examples, sampler(), 1, settings, lambda: turns.step(1))
    turns.leave(1)
    other.join()
    print_row(task, *(BATCH / statistics.median(seconds[1:]) for seconds in turns.seconds))


def head_alone(frames: FrameSet, runs: int, settings: FinetuneSettings) -> None:
    examples, every = FrameDataset(frames), EveryFrame(len(frames), COPIES, seed=0)
    device = torch.device(settings.device)

    def plainly() -> None:
        learner = FrameLearner(network_of("cls", "linear"), settings)
        plain(learner, DataLoader(examples, BATCH, sampler=every), EPOCHS, device)

    def our_way() -> None:
        learner = HeadLearner(network_of("cls", "linear"), settings)
        with tempfile.TemporaryDirectory() as work:
            features = encode(learner, frames, COPIES, settings, Path(work, "features"), silent)
            ours(learner, features, EveryFrame(len(features), 0, seed=0), EPOCHS, settings)

    took: tuple[list[float], list[float]] = [], []
    for _ in range(1 + runs):
        for seconds, work in zip(took, (plainly, our_way), strict=True):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
    print_row("cls, head", *(EPOCHS * len(every) / min(seconds[1:]) for seconds in took))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--runs", type=int, default=2)
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
            frames = build_frame_set(balanced_frames(reference_phantoms()), size, Path(folder))
            with_adapter(task, frames, options.steps, settings)
            if task == "cls":
                head_alone(frames, options.runs, settings)


if __name__ == "__main__":
    main()
