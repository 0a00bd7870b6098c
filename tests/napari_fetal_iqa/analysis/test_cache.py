import logging

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analyser, Analysis, analyse_sweep, cache, choose_models
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture(scope="module")
def analysis(sweep, tiny_models):
    return analyse_sweep(
        sweep, tiny_models["cls"], tiny_models["seg"], device="cpu", use_cache=False
    )


@pytest.fixture
def setup(tiny_models):
    return choose_models(tiny_models["cls"], tiny_models["seg"]).setup()


def cached_file():
    (path,) = (paths.cache() / "analyses").iterdir()
    return path


def test_a_kept_analysis_comes_back_whole(analysis, sweep, setup):
    cache.save(analysis)
    found = cache.load(sweep, setup)
    assert found.complete
    assert found.setup == analysis.setup
    for name in ("quality", "area_fraction", "ac_mm", "non_black"):
        assert np.array_equal(getattr(found, name), getattr(analysis, name), equal_nan=True)
    assert all(found.packed_mask(f) == analysis.packed_mask(f) for f in range(len(sweep)))
    assert found.best_frame() == analysis.best_frame()


def test_other_models_or_another_spacing_are_another_analysis(analysis, sweep, setup, tiny_models):
    cache.save(analysis)
    assert cache.load(sweep, choose_models(tiny_models["cls"], None).setup()) is None
    stretched = SweepVolume(sweep.frames, spacing_mm=(1.0, 2.0))
    assert cache.load(stretched, setup) is None


def test_a_partial_analysis_is_not_kept(sweep, setup):
    cache.save(Analysis(sweep, setup))
    assert cache.load(sweep, setup) is None


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "foreign"])
def test_a_damaged_cache_is_never_trusted(analysis, sweep, setup, damage, caplog):
    cache.save(analysis)
    path = cached_file()
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-100] ^= 0xFF
    elif damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"a picture" * 1000)
    path.write_bytes(bytes(content))
    with caplog.at_level(logging.WARNING):
        assert cache.load(sweep, setup) is None


def everything(analysis):
    arrays = (analysis.quality, analysis.area_fraction, analysis.ac_mm, analysis.non_black)
    masks = [analysis.packed_mask(frame) for frame in range(len(analysis.sweep))]
    return [array.tobytes() for array in arrays], masks, analysis.setup, analysis.seconds


def test_a_flipped_bit_anywhere_gives_the_same_analysis_or_none(analysis, sweep, setup):
    cache.save(analysis)
    path = cached_file()
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(sound[:8], "little")
    places = [*rng.integers(0, header, 200), *rng.integers(header, len(sound), 200)]
    for place in places:
        content = bytearray(sound)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(content))
        found = cache.load(sweep, setup)
        assert found is None or everything(found) == everything(analysis)
    path.write_bytes(sound)
    assert everything(cache.load(sweep, setup)) == everything(analysis)


def test_a_cache_that_cannot_be_written_only_warns(analysis, sweep, setup, caplog):
    paths.cache().mkdir(parents=True)
    (paths.cache() / "analyses").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        cache.save(analysis)
    assert "could not be cached" in caplog.text
    assert cache.load(sweep, setup) is None


def test_one_network_alone_is_cached_too(sweep, tiny_models):
    alone = analyse_sweep(sweep, None, tiny_models["seg"], device="cpu")
    found = cache.load(sweep, choose_models(None, tiny_models["seg"]).setup())
    assert np.isnan(found.quality).all()
    assert found.packed_mask(3) == alone.packed_mask(3)


def test_analyse_sweep_recalls_and_keeps(sweep, tiny_models, monkeypatch):
    models = (tiny_models["cls"], None)
    seen = []
    first = analyse_sweep(sweep, *models, device="cpu")
    monkeypatch.setattr(Analyser, "run", lambda *_: pytest.fail("analysed again"))
    again = analyse_sweep(sweep, *models, progress=lambda *done: seen.append(done))
    assert everything(again) == everything(first)
    assert seen == [(60, 60)]
    for chosen in ({"use_cache": False}, {"frames": range(60)}):
        with pytest.raises(pytest.fail.Exception, match="analysed again"):
            analyse_sweep(sweep, *models, device="cpu", **chosen)
