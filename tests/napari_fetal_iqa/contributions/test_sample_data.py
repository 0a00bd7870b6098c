"""The phantoms that demo and File > Open Sample open."""

import shutil
import threading

import numpy as np
import pytest

from napari_fetal_iqa.contributions import sample_data
from napari_fetal_iqa.phantom import PhantomSettings
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture
def quick(monkeypatch):
    """Make the demo phantom a small one."""
    small = PhantomSettings.small()
    monkeypatch.setattr(PhantomSettings, "demo", classmethod(lambda cls: small))
    return small


def test_the_demo_phantom_is_simulated_once(quick, monkeypatch):
    first = sample_data.demo_sweep()
    monkeypatch.setattr(sample_data, "make_phantom", None)
    again = sample_data.demo_sweep()
    assert again.identity == first.identity
    assert again.bounds == first.bounds
    assert again.name == first.name == "phantom"
    assert again.spacing_mm == pytest.approx(first.spacing_mm)


def test_a_damaged_or_unwritable_cache_only_costs_time(quick, caplog):
    first = sample_data.demo_sweep()
    (cached,) = (path for path in paths.cache().iterdir() if path.is_file())
    cached.write_bytes(b"no sweep")
    assert sample_data.demo_sweep().identity == first.identity
    shutil.rmtree(paths.cache())
    paths.cache().write_text("in the way")
    assert sample_data.demo_sweep().identity == first.identity
    assert "could not be cached" in caplog.text


def test_samples_are_layers_for_napari(quick):
    for (data, attributes, kind), *_ in (sample_data.demo_phantom(), sample_data.small_phantom()):
        assert kind == "image"
        assert data.dtype == np.uint8
        assert isinstance(attributes["metadata"]["fetal_iqa_sweep"], SweepVolume)


def test_who_waits_gets_the_same_phantom_with_its_first_frame(quick):
    at_once = sample_data.demo_sweep_at_once()
    assert at_once.frames.done == 2
    (data, _, _) = sample_data.sweep_layer(at_once)
    first = at_once.identity  # waits for all
    assert data.done == len(data)
    while not (written := list(paths.cache().glob("*.mha"))):
        threading.Event().wait(0.01)
    assert len(written) == 1
    paths.cache().rename(paths.home() / "elsewhere")
    whole = sample_data.demo_sweep()
    assert (whole.identity, whole.name) == (first, at_once.name)
    assert sample_data.demo_sweep_at_once().identity == first  # from the cache
