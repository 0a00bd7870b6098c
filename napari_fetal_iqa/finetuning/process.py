"""The process of a training: found again, given less of the machine, ended with all it started."""

import subprocess
import sys
from contextlib import suppress
from typing import Any

import psutil

from napari_fetal_iqa import process_priority

_WAVER = 200
"""Hundredths of a second. The time of the boot, from which Linux counts a process's beginning, is
rounded anew whenever the clock is adjusted."""

_CLOCK_WAS_SET = 600
"""Seconds by which the time of one and the same boot may differ, as clocks are put right."""


def apart() -> dict[str, Any]:
    """Return the options of :class:`subprocess.Popen` for a process that outlives this one."""
    if sys.platform == "win32":
        flags = (
            subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.CREATE_NO_WINDOW
            | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
        return {"creationflags": flags}
    return {"start_new_session": True}


def give_way(pid: int) -> None:
    """Let a process that was just started work when others do not; where that is possible."""
    process_priority.give_way(pid, process_priority.TRAINING)
    process_priority.let_session_give_way(pid, process_priority.TRAINING)


def birth(pid: int) -> str | None:
    """Return when the process of this number began; None where none of this number lives.

    Numbers are used again: the same one with another birth is another process. The time of the
    boot in seconds, and from then on hundredths of a second, so that setting the clock does not
    make another process of it.
    """
    try:
        process = psutil.Process(pid)
        boot = psutil.boot_time()
        began = process.create_time() - boot
    except psutil.Error:
        return None
    return f"{boot:.0f} {100 * began:.0f}" if is_alive(process) else None


def find(pid: int, born: str | None) -> psutil.Process | None:
    """Return the process of this number, if it lives and began when :func:`birth` noted."""
    now = birth(pid)
    if born is None or now is None:
        return None
    try:
        same = _began_together(born, now)
        return psutil.Process(pid) if same else None
    except (ValueError, psutil.Error):
        return None


def _began_together(born: str, now: str) -> bool:
    (boot, _, began), (boot_now, _, began_now) = born.rpartition(" "), now.rpartition(" ")
    if abs(int(began) - int(began_now)) > _WAVER:
        return False
    # version 0.1.0 wrote the boot's id in place of its time
    return not boot.isdecimal() or abs(int(boot) - int(boot_now)) <= _CLOCK_WAS_SET


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that ended and was not waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def terminate_tree(process: psutil.Process) -> list[psutil.Process]:
    """Tell a process to end, with those that it started; return them all, at once."""
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        tree = [process]
    for one in tree:
        with suppress(psutil.Error):
            one.terminate()
    return tree


def await_end(tree: list[psutil.Process], grace_seconds: float) -> bool:
    """Wait for processes that were told to end; return whether they are gone.

    Each may end by itself, and is killed where it did not within the grace.
    """
    _, left = psutil.wait_procs(tree, grace_seconds)
    for one in left:
        with suppress(psutil.Error):
            one.kill()
    _, left = psutil.wait_procs(left, grace_seconds)
    return not left
