"""Time of each stage of an analysis, from file to results, against the plain way in the same run.

    python benchmarks/predict.py [--frames 64] [--runs 3] [--full-size] [--device auto]

The plain way takes one frame at a time: PIL preprocessing, eager float32, the LoRA adapter not
merged, the mask restored on the CPU. Ours is ``FramePredictor``. Both read the same phantom
(562 x 744) from the same uncompressed .mha file, run the same two networks with a LoRA adapter, and
measure and write by the same functions. The segmenter is the demo one, so that its masks are
worth measuring; the classifier has random weights. ``--full-size`` takes the full FetalCLIP
architecture with random weights in both; give it few frames on a CPU.

Frames per second are of wall time from the file to the last result file, with models loaded; the
stages need not add up to it, since we read while we compute. The ways take turns, the first turn is
for warmth, and the fastest of the others counts. Shares are of the machine's measured peak:
floating-point operations as torch counts them, without the adapter, over the rate of a large matrix
product in the precision of ours.
"""

import argparse
import tempfile
import time
from collections import Counter
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    LoraSettings,
    PredictionBatch,
    add_lora,
    load_encoder,
    load_model,
    restore_masks,
)
from napari_fetal_iqa.analysis import Analysis, write_results
from napari_fetal_iqa.analysis.analyser import measured
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

STAGES = ("read", "preprocess", "cls", "seg", "restore", "measure", "write")


def build_networks(full_size):
    """Classifier and segmenter, without an adapter."""
    torch.manual_seed(0)
    if full_size:
        return [
            kind(load_encoder("fetalclip")).eval() for kind in (FrameClassifier, FrameSegmenter)
        ]
    return [FrameClassifier(load_encoder("swin-demo")).eval(), load_model("demo-seg")]


def wait_for(device):
    """Return when the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


class PlainWay:
    """Predict one frame after the other, as a script would."""

    def __init__(self, networks, device):
        self.classifier, self.segmenter = (network.to(device) for network in networks)
        self.device = device

    def predict(self, frames):
        """Yield a batch of one for each frame."""
        for number in range(len(frames)):
            yield self._predict_frame(frames, number)

    @torch.no_grad()
    def _predict_frame(self, frames, number):
        marks = [time.perf_counter()]

        def mark():
            wait_for(self.device)
            marks.append(time.perf_counter())

        frame = np.array(frames[number])
        mark()
        image = self._preprocess(frame).to(self.device)
        mark()
        quality = self.classifier(image)[:, 0].sigmoid().cpu().numpy()
        mark()
        probabilities = self.segmenter(image)[:, 0].sigmoid().cpu()
        mark()
        masks = restore_masks(probabilities, frame.shape).numpy()
        area = (probabilities > 0.5).float().mean((1, 2)).numpy()
        mark()
        seconds = dict(zip(STAGES, np.diff(marks), strict=False))
        return PredictionBatch(np.array([number]), quality, area, masks, seconds)

    def _preprocess(self, frame):
        spec = self.classifier.encoder.spec
        side, size = max(frame.shape), spec.image_size
        square = Image.new("L", (side, side))
        top, left = (side - frame.shape[0]) // 2, (side - frame.shape[1]) // 2
        square.paste(Image.fromarray(frame), (left, top))
        pixels = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))
        normalised = (pixels / 255 - np.array(spec.mean)) / np.array(spec.std)
        return torch.tensor(normalised, dtype=torch.float32).permute(2, 0, 1)[None]


def analyse(way, path, out):
    """Read, predict, measure and write one sweep; return seconds by stage and in all."""
    seconds = Counter()
    started = time.perf_counter()
    sweep = read_sweep(path)
    seconds["read"] = time.perf_counter() - started
    analysis = Analysis(sweep)
    for batch in way.predict(sweep.frames):
        now = time.perf_counter()
        images = (sweep.frames[int(frame)] for frame in batch.frames)
        analysis.add(measured(batch, images, sweep.spacing_mm, sweep.field_of_view))
        seconds.update(batch.seconds)
        seconds["measure"] += time.perf_counter() - now
    now = time.perf_counter()
    write_results(analysis, out)
    ended = time.perf_counter()
    seconds["write"] = ended - now
    return seconds, ended - started


def peak_rate(device, precision):
    """Floating-point operations per second of a large matrix product, the best of ten."""
    side = 8192 if device.type == "cuda" else 2048
    a = torch.randn(side, side, dtype=getattr(torch, precision), device=device)
    best = float("inf")
    for _ in range(10):
        wait_for(device)
        started = time.perf_counter()
        a @ a
        wait_for(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def operations(network):
    """Count the floating-point operations of one frame."""
    size = network.encoder.spec.image_size
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    return counter.get_total_flops()


def print_table(count, plain, ours, counted, peak):
    """Print milliseconds per frame, ratios, and shares of the peak."""
    rows = [(stage, plain[0][stage], ours[0][stage]) for stage in STAGES]
    rows.append(("wall", plain[1], ours[1]))
    print(f"{'stage':12}{'plain ms':>10}{'ours ms':>10}{'ratio':>8}{'of peak':>9}")
    for stage, theirs, own in rows:
        share = f"{counted[stage] * count / own / peak:9.1%}" if stage in counted else ""
        print(
            f"{stage:12}{1000 * theirs / count:10.2f}{1000 * own / count:10.2f}"
            f"{theirs / own:8.2f}{share}"
        )
    print(
        f"{count / ours[1]:.3g} frames a second, against {count / plain[1]:.3g} the plain way, "
        f"which reaches {counted['wall'] * count / plain[1] / peak:.1%} of the peak"
    )


def main():
    """Time both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    networks = build_networks(options.full_size)
    counted = {network.task: operations(network) for network in networks}
    counted["wall"] = sum(counted.values())
    for network in networks:
        add_lora(network, LoraSettings())
        network.eval()
    predictor = FramePredictor(*networks, device=options.device)
    device = predictor.device
    ways = PlainWay(networks, device), predictor
    per_sweep = -(-options.frames // PhantomSettings().n_sweeps)
    sweep = make_phantom(PhantomSettings(frames_per_sweep=per_sweep), seed=0).sweep
    with tempfile.TemporaryDirectory() as folder:
        path = write_volume(
            Path(folder, "sweep.mha"),
            sweep.frames[: options.frames],
            sweep.spacing_mm,
            compress=False,
        )
        runs = [
            [analyse(way, path, Path(folder, "results")) for way in ways]
            for _ in range(1 + options.runs)
        ]
    plain, ours = (min(of_way, key=itemgetter(1)) for of_way in zip(*runs[1:], strict=True))
    peak = peak_rate(device, predictor.precision)
    name = networks[0].encoder.spec.name
    print(f"{name}, {options.frames} frames from file to results, {device}, {predictor.precision}")
    print(f"{counted['wall'] / 1e9:.2f} GFLOP a frame; measured peak {peak / 1e9:.0f} GFLOP/s")
    print_table(options.frames, plain, ours, counted, peak)


if __name__ == "__main__":
    main()
