"""``napari-fetal-iqa demo``: the main job on the built-in phantom."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.errors import FetalIqaError

DEFAULT_SCREENSHOT = Path("napari-fetal-iqa-demo.png")
_SCREEN = "-screen 0 1920x1080x24"


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: analyse and write the result files.")
    ] = False,
    screenshot: Annotated[
        Path | None,
        typer.Option(help="Write a picture of the window when the analysis is done, and close."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results of --headless.")] = Path(
        "results"
    ),
) -> None:
    """Show the main job on a phantom sweep with the demo models.

    Opens napari, analyses the phantom and leaves the window to you. On a machine without a
    screen it does so on a virtual screen and writes a screenshot.

    Example: napari-fetal-iqa demo
    """
    if headless:
        from napari_fetal_iqa.cli.batch import AnalysisJob, AnnouncedAnalyser
        from napari_fetal_iqa.contributions.sample_data import demo_sweep

        with tqdm(desc="Simulating the phantom", unit="frame", disable=None) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            sweep = demo_sweep(show)
        AnalysisJob(AnnouncedAnalyser("demo-cls", "demo-seg"), out).run(sweep)
    elif _has_screen():
        from napari_fetal_iqa.analysis import RemoteAnalyser

        analyser = RemoteAnalyser()
        analyser.start_ahead()  # it gets ready while napari is imported
        try:
            from napari_fetal_iqa.widgets.demo import show_demo
        except ImportError as error:
            analyser.close()
            raise FetalIqaError(
                f"the window needs napari ({error}): pip install 'napari-fetal-iqa[gui]'"
            ) from error

        show_demo(screenshot, say=typer.echo, analyser=analyser)
        if screenshot:
            echo(f"The window is in {screenshot}")
    else:
        _on_virtual_screen(screenshot or DEFAULT_SCREENSHOT)


def _has_screen() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _on_virtual_screen(screenshot: Path) -> None:
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        raise FetalIqaError(
            "there is no screen here: install xvfb for a virtual one, or use demo --headless"
        )
    echo(f"There is no screen here; the window goes to {screenshot}")
    again = [sys.executable, "-m", "napari_fetal_iqa", "demo", "--screenshot", str(screenshot)]
    done = subprocess.run([xvfb, "-a", "-s", _SCREEN, *again], check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
