#!/usr/bin/env python3
"""Set up everything and run it, from a fresh checkout on a fresh machine.

    python3 run.py demo       the main job, in napari, on a simulated sweep
    python3 run.py demo --light     the same without torch: all but learning, a fifth of the size
    python3 run.py tests      every check and test
    python3 run.py checks     the checks alone, or those that are named
    python3 run.py refresh    new versions of the dependencies, into constraints.txt

Needs Python and nothing else: a virtual environment in .venv gets the rest. System packages are
touched in one case only: on a Debian without a screen, as root, the virtual screen is installed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ON_WINDOWS = os.name == "nt"
BIN = "Scripts" if ON_WINDOWS else "bin"
EXE = ".exe" if ON_WINDOWS else ""
LIGHT = HERE / ".venv-light"
LIGHT_TESTS = "tests/light"
LIGHT_TESTERS = ["hypothesis", "pytest", "pytest-qt", "pytest-timeout"]
PYTHONS = ">=3.11,<3.15"  # 3.15 comes when numpy, torch and the others have wheels for it

CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "imports": ["lint-imports"],
    "types": ["mypy"],
}

SCREEN_PACKAGES = [
    "xvfb",
    "xauth",
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "libxkbcommon-x11-0",
    "libdbus-1-3",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libxcb-xkb1",
    "openbox",
]

# A window manager gives windows their frames, the focus and the close button, as on a desk. pytest
# takes the shell's place; the manager ends with the screen.
MANAGED = ["sh", "-c", 'if command -v openbox >/dev/null; then openbox & fi; exec "$@"', "sh"]


def call(*command, **settings):
    """Run a command, from the checkout; stop with its exit code where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=HERE, check=False, **settings)
    if done.returncode:
        sys.exit(done.returncode)


def has_screen():
    """Return whether a window can be shown here."""
    if ON_WINDOWS or sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def may_install_system_packages():
    """Return whether this is a Debian without a screen, and we are root."""
    return not has_screen() and shutil.which("apt-get") and os.geteuid() == 0


def apt_install(packages):
    """Install the Debian packages that are missing."""
    query = ["dpkg-query", "-W", "-f", "${Status}"]
    missing = [
        package
        for package in packages
        if b"install ok installed"
        not in subprocess.run([*query, package], capture_output=True, check=False).stdout
    ]
    if missing:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        call("apt-get", "update", "-q", env=quiet)
        call("apt-get", "install", "-qy", "--no-install-recommends", *missing, env=quiet)


def find_uv():
    """Return the path of uv, installed into .uv where the machine has none."""
    found = shutil.which("uv")
    if found:
        return found
    own = HERE / ".uv" / BIN / ("uv" + EXE)
    if not own.exists():
        try:
            import ensurepip  # noqa: F401 - Debian leaves it out of python3
        except ImportError:
            if not may_install_system_packages():
                sys.exit("this Python cannot make virtual environments; install python3-venv or uv")
            apt_install(["python3-venv"])
        # A copy of the interpreter does not find its library on every Mac; Windows has no links.
        venv.create(str(HERE / ".uv"), symlinks=not ON_WINDOWS, with_pip=True)
        pip = HERE / ".uv" / BIN / ("python" + EXE)
        call(pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv")
    return str(own)


def set_up_light(python=None, testing=False):
    """Make or update the environment of the light installation, which reviews without torch."""
    if may_install_system_packages():
        apt_install(SCREEN_PACKAGES)
    uv = find_uv()
    environment = {**os.environ, "VIRTUAL_ENV": str(LIGHT), "UV_HTTP_TIMEOUT": "600"}
    if not (LIGHT / BIN).exists():
        call(uv, "venv", "--quiet", "--python", python or PYTHONS, LIGHT)
    parts = ["--requirement", "requirements-light.txt", "--constraint", "constraints.txt"]
    parts += LIGHT_TESTERS if testing else []
    call(uv, "pip", "install", *parts, env=environment)
    # what the package itself asks for is the whole: it is installed without
    call(uv, "pip", "install", "--quiet", "--no-deps", "--editable", ".", env=environment)
    return LIGHT / BIN


def size_mb(folder):
    """Return the size of the files of a folder, in megabytes; links are not followed."""
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files) / 1e6


def light_tests(programs, arguments):
    """Run the tests of the light installation, and say how large it is beside the whole."""
    python = programs / ("python" + EXE)
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet.pop("PYTHONDONTWRITEBYTECODE", None)
    if not has_screen():
        quiet["FETAL_IQA_SCREEN_EACH"] = "1"
    call(*on_screen([python, "-m", "pytest", "-q"]), *(arguments or [LIGHT_TESTS]), env=quiet)
    said = f"light installation: {size_mb(LIGHT):.0f} MB"
    whole = HERE / ".venv"
    if (whole / BIN).exists():
        said += f"; the whole: {size_mb(whole):.0f} MB, {size_mb(whole) / size_mb(LIGHT):.1f} times"
    print(said + " (each with what its tests need)")


def set_up(folder, python=None, constrained=True, developing=False, also=()):
    """Make or update the virtual environment; return the folder of its programs."""
    if may_install_system_packages():
        apt_install(SCREEN_PACKAGES)
    uv = find_uv()
    environment = {**os.environ, "VIRTUAL_ENV": str(folder), "UV_HTTP_TIMEOUT": "600"}
    if not (folder / BIN).exists():
        call(uv, "venv", "--quiet", "--python", python or PYTHONS, folder)
    parts = ["--editable", ".[gui]"]
    if developing:
        parts += ["--group", "dev"]
    if constrained:
        parts += ["--constraint", "constraints.txt"]
    parts += also
    call(uv, "pip", "install", *parts, env=environment)
    return folder / BIN


def demo(programs, arguments):
    """Run the main job."""
    call(programs / ("napari-fetal-iqa" + EXE), "demo", *arguments)


def checks(programs, names):
    """Run the checks of these names; all where there are none."""
    for name in names or CHECKS:
        if name not in CHECKS:
            sys.exit(f"no check is named {name!r}; there are {', '.join(CHECKS)}")
        program, *arguments = CHECKS[name]
        call(programs / (program + EXE), *arguments)


def tests(programs, arguments, on_default, with_once):
    """Run every check, then every test but the slow ones; arguments go to pytest.

    Checks and window are left out where ``on_default`` is false, coverage and the tests that are
    the same on every Python where ``with_once`` is.
    """
    python = programs / ("python" + EXE)
    if on_default:
        checks(programs, [])
    pytest = [python, "-m", "pytest"]
    if on_default:
        pytest = on_screen(pytest)
    # One thread each: the tests themselves run side by side. With bytecode: they start many
    # processes, and to compile torch's sources anew takes each of them ten seconds. Those with a
    # window come after the others, in a process of their own that torch never enters: torch's
    # compiler and software OpenGL each bring an LLVM, and the two in one process crash.
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet.pop("PYTHONDONTWRITEBYTECODE", None)
    if arguments:
        call(*pytest, *arguments, env=quiet)
        return
    monitored = "import sys; sys.exit(sys.version_info < (3, 12))"
    if subprocess.run([str(python), "-c", monitored], check=False).returncode == 0:
        quiet["COVERAGE_CORE"] = "sysmon"  # costs half of what the older way costs
    if not has_screen():
        quiet["FETAL_IQA_SCREEN_EACH"] = "1"
    quick = "not slow and not gpu and " + ("" if with_once else "not once and ")
    runs = [["-m", quick + "not gui", "-n", "auto"]]
    if on_default:  # these folders alone: to collect the others imports torch
        runs.append(["-m", quick + "gui", "-n", "3", *WINDOWS])
    for run in runs:
        if with_once:
            run += ["--cov"] if run is runs[0] else ["--cov", "--cov-append"]
            figure = ["--cov-report=term", "--cov-fail-under=90"]
            run += figure if run is runs[-1] else ["--cov-report="]
        # A worker takes from another only at the end: neighbours share what their module set up.
        call(*pytest, "-q", "--dist", "worksteal", *run, env=quiet)


WINDOWS = ["tests/gui", "tests/napari_fetal_iqa/contributions/test_in_napari.py"]


def on_screen(command):
    """Return a command that has a screen and, where that is a virtual one, a window manager."""
    if has_screen():
        return command
    return ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24", *MANAGED, *command]


def tests_on_pyside(programs, arguments):
    """Run the tests with a window on PySide6, which napari's own bundle ships."""
    python = programs / ("python" + EXE)
    pytest = [python, "-m", "pytest", "-q", "-o", "qt_api=pyside6"]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "QT_API": "pyside6"}
    quiet.pop("PYTHONDONTWRITEBYTECODE", None)
    call(*on_screen(pytest + (arguments or ["-m", "not slow and gui", *WINDOWS])), env=quiet)


def main():
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=["demo", "tests", "checks", "refresh"])
    parser.add_argument(
        "--python",
        help="version or path; gets an environment of its own, whose tests leave the window out",
    )
    parser.add_argument(
        "--not-once",
        action="store_true",
        help="leave out tests that are the same on every Python, and the coverage",
    )
    parser.add_argument(
        "--pyside6",
        action="store_true",
        help="the tests with a window alone, on PySide6, in an environment of its own",
    )
    parser.add_argument(
        "--light",
        action="store_true",
        help="without torch, in an environment of its own (.venv-light): the demo, or its tests",
    )
    options, arguments = parser.parse_known_args()
    if options.light:
        if options.job not in ("demo", "tests"):
            parser.error("--light goes with demo and tests")
        programs = set_up_light(options.python, testing=options.job == "tests")
        (demo if options.job == "demo" else light_tests)(programs, arguments)
        return
    if options.pyside6 and options.job == "tests":
        # PySide6 6.12 miscounts None, which ends a Python before 3.12 after some six windows
        also = ["napari[pyside6]", "PySide6<6.9; python_version < '3.12'"]
        folder = HERE / ".venv-pyside6"
        tests_on_pyside(set_up(folder, options.python, developing=True, also=also), arguments)
        return
    folder = HERE / (".venv" if not options.python else ".venv-" + Path(options.python).name)
    if options.job == "demo":
        demo(set_up(folder, options.python), arguments)
    elif options.job == "tests":
        programs = set_up(folder, options.python, developing=True)
        tests(programs, arguments, not options.python, not options.not_once)
        if not arguments and not options.python:
            light_tests(set_up_light(testing=True), [])
    elif options.job == "checks":
        # What is set up already is used as it is: a commit waits for these.
        there = (folder / BIN / ("ruff" + EXE)).exists()
        checks(
            folder / BIN if there else set_up(folder, options.python, developing=True), arguments
        )
    else:
        shutil.rmtree(str(HERE / ".venv"), ignore_errors=True)
        programs = set_up(HERE / ".venv", constrained=False, developing=True)
        environment = {**os.environ, "VIRTUAL_ENV": str(HERE / ".venv")}
        with open(str(HERE / "constraints.txt"), "w") as file:
            call(find_uv(), "pip", "freeze", "--exclude-editable", env=environment, stdout=file)
        tests(programs, [], on_default=True, with_once=True)


if __name__ == "__main__":
    main()
