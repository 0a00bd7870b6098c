"""A real napari window with the review widget in it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from napari.utils._proxies import PublicOnlyProxy

from napari_fetal_iqa.analysis import RemoteAnalyser
from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.phantom import PhantomCase, PhantomSettings, make_phantom
from napari_fetal_iqa.storage.settings import Settings, save_settings

SECONDS = 1000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/gui" in item.path.as_posix():
            item.add_marker("gui")
    # the longest first: last, it would run alone
    items.sort(key=lambda item: item.path.stem != "test_story")


@pytest.fixture(scope="session")
def phantom() -> PhantomCase:
    # three longer sweeps: of these are the frames that the tests name
    return make_phantom(replace(PhantomSettings.small(), n_sweeps=3, frames_per_sweep=20), seed=3)


@pytest.fixture
def window_manager(qtbot) -> None:
    """Skips where windows get no frame: nobody manages them, as `run.py tests` lets openbox do."""
    from qtpy.QtWidgets import QWidget

    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    try:
        qtbot.waitUntil(
            lambda: not window.windowHandle().frameMargins().isNull(), timeout=3 * SECONDS
        )
    except qtbot.TimeoutError:
        pytest.skip("no window manager here (openbox): windows have no frame and no close button")


@pytest.fixture
def store(tmp_path) -> Iterator[CorrectionStore]:
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        yield store


@pytest.fixture
def tiny_settings(tiny_models) -> Settings:
    """Settings with untrained models, which start no analysis by themselves."""
    settings = Settings(
        reviewer="AK",
        cls_model=str(tiny_models["cls"]),
        seg_model=str(tiny_models["seg"]),
        analyse_on_open=False,
    )
    save_settings(settings)
    return settings


class KeptAnalyser(RemoteAnalyser):
    """Outlives the windows of the tests, so that torch is imported once."""

    released = 0

    def close(self) -> None:
        self.forget()

    def release(self) -> None:
        self.forget()
        self.released += 1

    def end(self) -> None:
        super().close()


@pytest.fixture(scope="session")
def analyser() -> Iterator[KeptAnalyser]:
    kept = KeptAnalyser()
    yield kept
    kept.end()


@pytest.fixture(autouse=True)
def frames_are_seen(monkeypatch):
    """Tests that call actions do so as a person who waited for the picture.

    ``test_first_paint.py`` does without this.
    """
    from napari_fetal_iqa.widgets.viewer.first_paint import FirstPaint

    monkeypatch.setattr(FirstPaint, "missing", "")


@pytest.fixture
def window(make_napari_viewer, store, analyser, qtbot) -> Iterator[Callable]:
    """Make a viewer with the review widget; close the widget at the end."""
    from napari_fetal_iqa.widgets import ReviewWidget

    made = []

    def make(**options):
        viewer = make_napari_viewer(show=True, **options)
        viewer.window.resize(1280, 800)
        widget = ReviewWidget(PublicOnlyProxy(viewer), store, analyser)  # as napari does
        viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
        made.append(widget)
        return widget

    yield make
    for widget in made:
        widget.close()


@pytest.fixture
def show(qtbot) -> Callable:
    """Put a sweep into the viewer and wait until it lies on the review."""

    def show(widget, sweep):
        data, attributes, _ = sweep_layer(sweep)
        layer = widget.viewer.add_image(data, **attributes)
        qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
        return layer

    return show


@pytest.fixture
def review(window, show, tiny_settings, phantom):
    """The review widget with the small phantom on the review, not analysed."""
    widget = window()
    show(widget, phantom.sweep)
    return widget


@pytest.fixture
def closable(qapp, mock_app_model, analyser, tiny_settings, phantom, qtbot):
    """The review in a window that the test closes itself; napari's own fixture allows none that.

    With commands of its own, as there: those of the program are registered once a process.
    """
    import napari
    from napari._qt.qt_viewer import QtViewer

    from napari_fetal_iqa.widgets import ReviewWidget

    viewer = napari.Viewer(show=False)
    viewer.window._qt_window._save_current_window_settings = lambda: None
    viewer.window.show()
    widget = ReviewWidget(viewer, analyser=analyser)
    viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
    data, attributes, _ = sweep_layer(phantom.sweep)
    viewer.add_image(data, **attributes)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    yield widget
    if not widget._closed:
        widget.shut_down()
        viewer.close()
    QtViewer._instances.clear()  # napari's fixture counts them; a window that is gone counts not


@pytest.fixture
def press(qtbot) -> Callable:
    """Press a key in the window, as a person would."""
    from qtpy.QtTest import QTest

    def press(widget, key, modifier=None):
        window = widget.viewer.window._qt_window

        def active():
            # requested again and again: without a window manager the first request may be lost
            window.activateWindow()
            return window.isActiveWindow()

        qtbot.waitUntil(active, timeout=20 * SECONDS)
        if modifier is None:
            QTest.keyClick(window, key)
        else:
            QTest.keyClick(window, key, modifier)

    return press
