"""Peak memory of analysing an 840-frame case with the demo models.

    python benchmarks/case_memory.py [--volume FILE]

Simulates a full-size phantom case (or takes a volume) and runs ``napari-fetal-iqa analyse`` on it
in a process of its own, beside a process that imports torch and does nothing else: the difference
is what the analysis takes. A memory-mapped volume counts as far as its pages were read. Linux.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEAK = "print([line for line in open('/proc/self/status') if 'VmHWM' in line][0].split()[1])"
BARE = f"import torch; {PEAK}"
ANALYSE = (
    "import sys; from napari_fetal_iqa.cli import main; sys.argv[0] = 'napari-fetal-iqa'\n"
    f"try:\n    main()\nexcept SystemExit as end:\n    if end.code:\n        raise\n{PEAK}"
)


def peak_gb(code: str, *arguments: str) -> float:
    """Peak resident memory of a Python process; ends the benchmark where it fails."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: failed with exit code {done.returncode}")
    return int(done.stdout.split()[-1]) / 1024**2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volume", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        volume = options.volume
        if volume is None:
            from napari_fetal_iqa.io import write_volume
            from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

            sweep = make_phantom(PhantomSettings.acouslic(), seed=0).sweep
            volume = write_volume(Path(folder) / "case.mha", sweep.frames, sweep.spacing_mm)
        bare = peak_gb(BARE)
        started = time.perf_counter()
        ours = peak_gb(ANALYSE, "analyse", str(volume), "--out", folder, "--overwrite")
        seconds = time.perf_counter() - started
    print(f"torch imported, nothing done    {bare:6.2f} GB")
    print(f"analyse                         {ours:6.2f} GB, in {seconds:.0f} s")
    print(f"the analysis                    {ours - bare:6.2f} GB")


if __name__ == "__main__":
    main()
