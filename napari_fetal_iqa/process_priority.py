"""The priority of processes that work beside the window: a key is answered before they go on."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

ANALYSIS = 10
"""Behind the window, before fine-tuning: somebody waits for the frame on the screen."""

TRAINING = 15
"""Behind the analysis, before backups and indexers, which have 19."""


def popen_options() -> dict[str, Any]:
    """Return options of :class:`subprocess.Popen`: on Windows a process begins below normal."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    return {}


def give_way(pid: int, niceness: int = ANALYSIS) -> None:
    """Let a process that was just started work when others do not; where that is possible.

    At once after its start: on Linux each thread has a niceness of its own, which those that it
    starts inherit.

    Parameters
    ----------
    pid : int
    niceness : int
        Of POSIX systems; Windows has one step below normal.
    """
    with suppress(psutil.Error, OSError, ValueError):
        process = psutil.Process(pid)
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(max(niceness, process.nice()))


def let_session_give_way(pid: int, niceness: int) -> None:
    """Lower the priority of a whole session, too, of which this process is the first.

    Linux shares its cores between sessions first ("autogroup", sched(7)), and regards niceness only
    within each: without this a process in a session of its own has as much as the whole window.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel without autogroups
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")
