"""Time of each stage of an analysis, against the plain way, in the same run.

    python benchmarks/predict.py [--frames 64] [--full-size] [--device auto]

The plain way takes one frame at a time: PIL preprocessing, eager float32, the LoRA adapter not
merged, the mask restored on the CPU. Ours is ``FramePredictor``. Both run the same two networks
with a LoRA adapter, of random weights, over the same phantom frames (562 x 744). ``--full-size``
takes the full FetalCLIP architecture instead of the demo one; give it few frames on a CPU.

The last column is the share of the machine's peak that the networks reach: floating-point
operations counted by torch, over the rate of a large matrix product of the same precision,
measured in this run.
"""

import argparse
import time
from collections import Counter

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    LoraSettings,
    add_lora,
    load_encoder,
    restore_masks,
)
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

STAGES = ("read", "preprocess", "cls", "seg", "restore")


def plain_way(networks, frames, device):
    """Analyse one frame after the other; give the seconds of each stage."""
    seconds = Counter()

    def clock(stage, started):
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        seconds[stage] += time.perf_counter() - started
        return time.perf_counter()

    classifier, segmenter = networks
    spec = classifier.encoder.spec
    size, mean, std = spec.image_size, np.array(spec.mean), np.array(spec.std)
    for index in range(len(frames)):
        now = time.perf_counter()
        frame = np.array(frames[index])
        now = clock("read", now)
        side = max(frame.shape)
        square = Image.new("L", (side, side))
        top, left = (side - frame.shape[0]) // 2, (side - frame.shape[1]) // 2
        square.paste(Image.fromarray(frame), (left, top))
        pixels = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))
        image = torch.tensor((pixels / 255 - mean) / std, dtype=torch.float32)
        image = image.permute(2, 0, 1)[None].to(device)
        now = clock("preprocess", now)
        with torch.no_grad():
            classifier(image).sigmoid().item()
            now = clock("cls", now)
            probabilities = segmenter(image)[:, 0].sigmoid()
            now = clock("seg", now)
        restore_masks(probabilities.cpu(), frame.shape)
        clock("restore", now)
    return seconds


def our_way(networks, frames, device):
    """Analyse with the predictor; give the seconds of each stage, and the precision."""
    predictor = FramePredictor(*networks, device=device.type)
    for _ in predictor.predict(frames[: predictor.batch_size]):
        pass
    seconds = Counter()
    for batch in predictor.predict(frames):
        seconds.update(batch.seconds)
    return seconds, predictor.precision


def peak_rate(device, precision):
    """Floating-point operations per second of a large matrix product."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    side = 8192 if device.type == "cuda" else 2048
    a = torch.randn(side, side, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def operations(network, device):
    """Count the floating-point operations of one frame."""
    size = network.encoder.spec.image_size
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(1, 3, size, size, device=device))
    return counter.get_total_flops()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    torch.manual_seed(0)
    encoder = "fetalclip" if options.full_size else "swin-demo"
    networks = [kind(load_encoder(encoder)) for kind in (FrameClassifier, FrameSegmenter)]
    for network in networks:
        add_lora(network, LoraSettings())
        network.eval()
    device = FramePredictor(networks[0], device=options.device).device
    settings = PhantomSettings(n_sweeps=1, frames_per_sweep=options.frames)
    frames = make_phantom(settings, seed=0).sweep.frames

    ours, precision = our_way(networks, frames, device)
    for network in networks:
        network.to(device)
    plain_way(networks, frames[:2], device)
    plain = plain_way(networks, frames, device)
    peak = peak_rate(device, precision)
    counted = {network.task: operations(network, device) for network in networks}

    count = len(frames)
    print(f"{encoder}, {count} frames, {device}, {precision}, random weights")
    print(f"{'stage':12}{'plain ms':>10}{'ours ms':>10}{'ratio':>8}{'of peak':>9}")
    for stage in STAGES:
        share = ""
        if stage in counted:
            share = f"{counted[stage] * count / ours[stage] / peak:.0%}"
        ratio = plain[stage] / ours[stage] if ours[stage] else float("nan")
        per_frame = (1000 * plain[stage] / count, 1000 * ours[stage] / count)
        print(f"{stage:12}{per_frame[0]:10.2f}{per_frame[1]:10.2f}{ratio:8.2f}{share:>9}")
    total, own = sum(plain.values()), sum(ours.values())
    print(f"{'all':12}{1000 * total / count:10.2f}{1000 * own / count:10.2f}{total / own:8.2f}")
    print(f"{count / own:.1f} frames a second, against {count / total:.1f} the plain way")


if __name__ == "__main__":
    main()
