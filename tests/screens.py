"""A virtual screen, with a window manager, for each process that tests windows.

On one screen their windows would take the keys from each other.
"""

import atexit
import os
import shutil
import subprocess

ASKED = "FETAL_IQA_SCREEN_EACH"
"""``run.py tests`` sets this variable where its own screen is a virtual one."""

_SIZE = ("-screen", "0", "1920x1080x24")


def take_own_screen() -> None:
    """Start a screen for this process, if that was asked for, and use it; it ends with us."""
    if not os.environ.get(ASKED) or shutil.which("Xvfb") is None:
        return
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", *_SIZE]
    screen = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    atexit.register(screen.kill)
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    if not number:  # it did not start: the common one is better than none
        return
    os.environ["DISPLAY"] = f":{number}"
    os.environ.pop("XAUTHORITY", None)
    if shutil.which("openbox") is not None:
        manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
        atexit.register(manager.kill)
