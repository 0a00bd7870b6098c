"""The phantoms that demo and File > Open Sample open."""

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
    (cached,) = paths.cache().iterdir()
    cached.write_bytes(b"no sweep")
    assert sample_data.demo_sweep().identity == first.identity
    cached.unlink()
    paths.cache().rmdir()
    paths.cache().write_text("in the way")
    assert sample_data.demo_sweep().identity == first.identity
    assert "could not be cached" in caplog.text


def test_samples_are_layers_for_napari(quick):
    for (data, attributes, kind), *_ in (sample_data.demo_phantom(), sample_data.small_phantom()):
        assert kind == "image"
        assert data.dtype == np.uint8
        assert isinstance(attributes["metadata"]["fetal_iqa_sweep"], SweepVolume)
