"""Reads damaged checkpoints and model folders under guards; run as a process of its own.

``python fuzz_models.py mutate COUNT FOLDER`` reads so many seeded mutations of each kind of file,
``python fuzz_models.py read FILE...`` reads files as they are. Each prints JSON. A crash, a hang,
an allocation that is refused or an untyped error ends the process with a status other than 0.
"""

import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from fetal_iqa_models import (
    FrameClassifier,
    ModelCard,
    ModelError,
    WeightsStore,
    add_lora,
    import_weights,
    load_card,
    load_encoder,
    load_model,
    model_hash,
    save_model,
    verify_weights,
)

CPU_SECONDS = 5
WALL_SECONDS = 60  # for what waits; other programs may take the processor
MEMORY_BYTES = 500 << 20
ENCODER = "fetalclip-tiny"


def peak_kb() -> int:
    """Return the most memory that this process had; getrusage begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return load_encoder(ENCODER).trunk.state_dict()


def as_lightning(path: Path) -> None:
    """Write a checkpoint as training leaves it: counters and moments beside the network."""
    tensors = {f"module.{name}": tensor for name, tensor in state().items()}
    moments = {number: {"exp_avg": torch.zeros(3)} for number in range(20)}
    torch.save({"epoch": 3, "state_dict": tensors, "optimizer_states": [{"state": moments}]}, path)


def as_model(folder: Path) -> None:
    network = FrameClassifier(load_encoder(ENCODER)).eval()
    add_lora(network)
    card = ModelCard(name="test", task="cls", encoder=ENCODER, encoder_weights="own", image_size=56)
    save_model(network, folder, card)


def as_stored(folder: Path) -> None:
    torch.save(state(), folder.with_suffix(".pt"))
    import_weights(ENCODER, folder.with_suffix(".pt"), WeightsStore(folder))


def read_weights(path: Path) -> None:
    load_encoder(ENCODER, path)


def read_model(folder: Path) -> None:
    load_card(folder)
    model_hash(folder)
    load_model(folder)


def read_stored(folder: Path) -> None:
    for path in WeightsStore(folder).files():
        verify_weights(path)
        load_encoder(ENCODER, path)


Kind = tuple[str, Callable[[Path], None], Callable[[Path], None]]
KINDS: dict[str, Kind] = {
    "pt": ("weights.pt", lambda path: torch.save(state(), path), read_weights),
    "pt-older": (
        "weights.pth",
        lambda path: torch.save(state(), path, _use_new_zipfile_serialization=False),
        read_weights,
    ),
    "ckpt": ("weights.ckpt", as_lightning, read_weights),
    "safetensors": ("weights.safetensors", lambda path: save_file(state(), path), read_weights),
    "store": ("store", as_stored, read_stored),
    "model": ("model", as_model, read_model),
}


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file, mostly where it says what it holds: its first and its last kilobytes."""
    changed = bytearray(data)
    if not data:
        return rng.bytes(9)
    first, last = [(0, 400), (0, 12_000), (len(data) - 9000, len(data)), (0, len(data))][
        int(rng.integers(4))
    ]
    place = int(rng.integers(max(first, 0), min(last, len(data))))
    length = int(rng.integers(1, 64))
    kind = rng.integers(8)
    if kind == 0:
        return data[:place]
    if kind == 1:
        for _ in range(int(rng.integers(1, 9))):
            changed[int(rng.integers(max(first, 0), min(last, len(data))))] = int(rng.integers(256))
    elif kind == 2:
        del changed[place : place + length]
    elif kind == 3:
        changed[place:place] = rng.bytes(length)
    elif kind == 4:
        extremes = (b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80")
        changed[place : place + 4] = extremes[int(rng.integers(4))]
    elif kind == 5:
        digits = [at for at in range(place, min(place + 400, len(data))) if 48 <= data[at] < 58]
        numbers = (b"1000000000000", b"-1", b"0", b"1e9", b"9" * 5000, b"NaN", b"[[", b'"\x1b[2J"')
        at = digits[0] if digits else place
        changed[at : at + 1] = numbers[int(rng.integers(len(numbers)))]
    elif kind == 6:
        # instructions of a pickle, and brackets of JSON, many times over
        words = (b"K\x00", b"(", b"}", b"h\x00", b"\x85", b"[", b'{"a":', b"R", b"Q", b"tR")
        changed[place:place] = words[int(rng.integers(len(words)))] * int(rng.integers(1, 3000))
    else:
        other = int(rng.integers(len(data)))
        changed[place : place + length] = data[other : other + length]
    return bytes(changed)


def replace(path: Path, rng: np.random.Generator) -> None:
    """Put something else than a file where a file should be."""
    path.unlink()
    kind = rng.integers(5)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.symlink_to(path)


def restore(path: Path, data: bytes) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def guarded(read: Callable[[Path], None], path: Path) -> tuple[str | None, float]:
    """Read under guards; return the one line of a refusal, and the CPU seconds that it took."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.alarm(WALL_SECONDS)
    start = time.process_time()
    refusal = None
    try:
        read(path)
    except ModelError as error:
        refusal = error
    line = None if refusal is None else str(refusal)
    if line is not None:
        assert not caused_by_memory(refusal), line
        assert line.isprintable(), line
        assert len(line) < 500 + len(str(path)), line
        assert path.stem in line, line
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.alarm(0)
    return line, time.process_time() - start


def caused_by_memory(error: BaseException | None) -> bool:
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "allocate memory" in text or "bad_alloc" in text:
            return True
        error = error.__cause__ or error.__context__
    return False


def fuzz(name: str, folder: Path, count: int) -> dict[str, Any]:
    """Count the mutations of a file, or of a folder's files, that were read and refused."""
    file, write, read = KINDS[name]
    base = folder / file
    write(base)
    targets = sorted(base.iterdir()) if base.is_dir() else [base]
    sound = {target: target.read_bytes() for target in targets}
    rng = np.random.default_rng(sum(name.encode()))
    outcome: dict[str, Any] = {"read": 0, "refused": 0, "slowest": 0.0}
    for number in range(-1, count):  # first the base itself, which is sound
        target = targets[number % len(targets)]
        if rng.random() < 0.1 and number >= 0:
            replace(target, rng)
        elif number >= 0:
            target.write_bytes(mutate(sound[target], rng))
        try:
            line, seconds = guarded(read, base)
        except BaseException:
            traceback.print_exc()
            sys.exit(f"mutation {number} of {name}: {target.name}")
        assert line is None or number >= 0, line
        if number >= 0:
            outcome["read" if line is None else "refused"] += 1
            outcome["slowest"] = max(outcome["slowest"], round(seconds, 2))
        restore(target, sound[target])
    if base.is_dir():
        shutil.rmtree(base)
    return outcome


def limit_memory(more: int = 0) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def read_all(paths: list[Path]) -> dict[str, Any]:
    """Read files and folders, and say for each the line of its refusal and its CPU seconds."""
    # a sound one first: its libraries are loaded before memory is limited
    warm = paths[0].with_name("warm.pt")
    torch.save(state(), warm)
    read_weights(warm)
    warm.unlink()
    limit_memory(max(path.stat().st_size for path in paths if path.is_file()))
    outcome = {}
    for path in paths:
        try:
            outcome[path.name] = guarded(read_model if path.is_dir() else read_weights, path)
        except BaseException:
            traceback.print_exc()
            sys.exit(f"reading {path.name}")
    return outcome


def main(mode: str, *words: str) -> None:
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # says where it hung, then dies of it
    if mode == "read":
        outcome = read_all([Path(word) for word in words])
    else:
        count, folder = int(words[0]), Path(words[1])
        for name in KINDS:  # every library is loaded
            fuzz(name, folder, 0)
        before = peak_kb()
        limit_memory()
        outcome = {name: fuzz(name, folder, count) for name in KINDS}
        grown = peak_kb() - before
        outcome["grown_mb"] = grown // 1024
    sys.stdout.write(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
