"""Writes into corrections stores as fast as it can, to be killed; see test_kill.py.

A warm server without torch and Qt: each line of input, ``path seed``, forks a child that opens
the store and corrects frames until it is killed. Lines of output: the child's process id once the
store is open; then one line for each edit, as soon as the call of the store has returned;
``ended`` after the child's death.
"""

import json
import os
import random
import sys
import traceback
import zlib

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.mask_codec import encode_mask

SHAPE = (281, 372)
N_FRAMES = 40
SEVERAL = 4  # frames of a range
SWEEP = "sweep-of-the-kill-test"
REVIEWER = "AK"
MASKS = [
    Ellipse((140.0, 180.0 + r), (60.0 + r, 90.0), 5.0 * r).mask(SHAPE, (1, 1)) for r in range(9)
]


def checksum(label, mask):
    """Name the event's value: the label, or the bytes of the packed mask."""
    return int(label) if mask is None else zlib.crc32(mask)


def say(line):
    os.write(1, f"{line}\n".encode())


def correct(path, seed):
    """Make random edits; tell each as [[frame, kind, checksum], ...] once it is acknowledged."""
    chance = random.Random(seed)
    with CorrectionStore(path) as store:
        say(os.getpid())
        while True:
            several = chance.random() < 0.3
            first = chance.randrange(N_FRAMES - SEVERAL)
            frames = list(range(first, first + SEVERAL)) if several else [first]
            if chance.random() < 0.5:
                label = chance.choice(list(Label))
                store.set_label(SWEEP, frames if several else first, label, REVIEWER)
                edit = [(frame, "label", checksum(label, None)) for frame in frames]
            else:
                masks = {frame: chance.choice(MASKS) for frame in frames}
                if several:
                    store.set_masks(SWEEP, masks, REVIEWER)
                else:
                    store.set_mask(SWEEP, first, masks[first], REVIEWER)
                edit = [(f, "mask", checksum(None, encode_mask(m))) for f, m in masks.items()]
            say(json.dumps(edit))


def serve():
    for line in sys.stdin:
        path, seed = line.rsplit(maxsplit=1)
        child = os.fork()
        if child == 0:
            try:
                correct(path, int(seed))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    serve()
