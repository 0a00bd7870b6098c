"""Whether a process is still there, and still the one that was started."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


def birth(pid: int) -> str | None:
    """Say when the process of this number began; None where none of this number lives.

    Numbers are used again: the same one with another birth is another process. The text is only
    to be compared with one that this machine gave.
    """
    if sys.platform == "win32":
        return _birth_on_windows(pid)
    if Path("/proc/self/stat").exists():
        return _birth_in_proc(pid)
    return _birth_by_ps(pid)


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
    """Let a process that was just started work when others do not; where that can be said."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, 5)


def signal_group(pid: int, signal: int) -> None:
    """Signal a process that was started :func:`apart`, with the processes that it started."""
    with suppress(OSError):
        if sys.platform == "win32":
            os.kill(pid, signal)
        else:
            os.killpg(pid, signal)


def _birth_in_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    state, ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot} {ticks}"


def _birth_by_ps(pid: int) -> str | None:
    try:
        said = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
            env={**os.environ, "LC_ALL": "C"},
        ).stdout.split(maxsplit=1)
    except (OSError, subprocess.SubprocessError):
        return None
    return said[1].strip() if len(said) == 2 and not said[0].startswith("Z") else None


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
    _STILL_ACTIVE = 259

    def _birth_on_windows(pid: int) -> str | None:
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = wintypes.HANDLE(kernel.OpenProcess(_QUERY, False, wintypes.DWORD(pid)))
        if not handle:
            return None
        try:
            code = wintypes.DWORD()
            created, *others = (wintypes.FILETIME() for _ in range(4))
            asked = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
            timed = kernel.GetProcessTimes(
                handle, ctypes.byref(created), *(ctypes.byref(other) for other in others)
            )
            if not asked or not timed or code.value != _STILL_ACTIVE:
                return None
            return f"{created.dwHighDateTime} {created.dwLowDateTime}"
        finally:
            kernel.CloseHandle(handle)
