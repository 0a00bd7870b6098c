"""A command on models or weights as the window runs it, in a process of its own.

So the window keeps free of torch, a cancelled command takes nothing with it, and window and
terminal make the same checks: it is the same command.
"""

import json
import re
import sys
import time

_EVERY_S = 0.1
_OWN_NAME = re.compile(r"^napari-fetal-iqa: ")


def command(*arguments: str) -> list[str]:
    """Return how to run ``napari-fetal-iqa`` with these arguments, to be read in the window."""
    return [sys.executable, "-m", "napari_fetal_iqa", "--for-window", *arguments]


def print_progress(done: int, total: int) -> None:
    """Write a line on standard output for the window to read, ten times a second at most."""
    now = time.monotonic()
    if done < total and now - _last[0] < _EVERY_S:
        return
    _last[0] = now
    sys.stdout.write(json.dumps({"done": done, "total": total}) + "\n")
    sys.stdout.flush()


_last = [0.0]


def read_progress(line: str) -> tuple[int, int] | None:
    """Read what :func:`print_progress` wrote; None where a line is something else."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
        return int(found["done"]), int(found["total"])
    except (ValueError, KeyError, TypeError):
        return None


def for_people(line: str) -> str:
    """Return a line of the command without the name that it puts before errors."""
    return _OWN_NAME.sub("", line)
