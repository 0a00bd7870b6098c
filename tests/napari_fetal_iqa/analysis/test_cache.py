import logging
from dataclasses import replace

import numpy as np
import pytest

from fetal_iqa_models.untrusted.tensor_bytes import TensorBytes
from napari_fetal_iqa.analysis import Analyser, Analysis, analyse_sweep, cache, choose_models
from napari_fetal_iqa.analysis.frame_order import FrameQueue
from napari_fetal_iqa.analysis.result import FrameResults
from napari_fetal_iqa.analysis.run import begin_analysis
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


def part_of(analysis, frames):
    """The same analysis, ended after some frames."""
    part = Analysis(analysis.sweep, analysis.setup)
    frames = np.asarray(frames)
    part.add(
        FrameResults(
            frames=frames,
            quality=analysis.quality[frames],
            area_fraction=analysis.area_fraction[frames],
            masks=tuple(analysis.packed_mask(frame) for frame in frames),
            ac_mm=analysis.ac_mm[frames],
            non_black=analysis.non_black[frames],
            seconds={},
        )
    )
    return part


def test_an_analysis_of_no_frame_is_not_kept(sweep, setup):
    cache.save(Analysis(sweep, setup))
    assert cache.load(sweep, setup) is None
    assert cache.load_partial(sweep, setup) is None


def test_an_analysis_that_was_ended_early_is_kept_beside_and_is_never_taken_for_whole(
    analysis, sweep, setup
):
    cache.save(part_of(analysis, [3, 40, 7]))
    assert cache.load(sweep, setup) is None
    kept = cache.load_partial(sweep, setup)
    assert np.flatnonzero(kept.computed).tolist() == [3, 7, 40]
    assert np.array_equal(kept.quality[[3, 7, 40]], analysis.quality[[3, 7, 40]])
    assert kept.packed_mask(40) == analysis.packed_mask(40)

    cache.save(part_of(analysis, [5]))
    assert int(cache.load_partial(sweep, setup).computed.sum()) == 3
    cache.save(analysis)
    assert cache.load(sweep, setup).complete
    assert cache.load_partial(sweep, setup) is None


def test_an_analysis_goes_on_from_where_it_was_ended(analysis, sweep, setup, tiny_models):
    cache.save(part_of(analysis, range(len(sweep) - 5)))
    queue = FrameQueue(len(sweep))
    analyser = Analyser(tiny_models["cls"], tiny_models["seg"], device="cpu").load()

    class Watched:
        setup = analyser.setup

        def run(self, sweep, order):
            self.frames = order.take(len(sweep))
            yield from analyser.run(sweep, self.frames)

    models = Watched()
    found, results = begin_analysis(sweep, setup, lambda: models, queue, leave_out=queue.leave_out)
    assert int(found.computed.sum()) == len(sweep) - 5
    for batch in results:
        found.add(batch)
    assert found.complete
    assert sorted(models.frames) == list(range(len(sweep) - 5, len(sweep)))


def test_on_another_device_the_whole_sweep_is_analysed_anew(analysis, sweep, setup):
    cache.save(part_of(analysis, range(len(sweep) - 5)))
    queue = FrameQueue(len(sweep))

    class Elsewhere:
        setup = replace(analysis.setup, device="cuda:0")

        def run(self, sweep, order):
            self.frames = order.take(len(sweep))
            return iter(())

    models = Elsewhere()
    _, results = begin_analysis(sweep, setup, lambda: models, queue, leave_out=queue.leave_out)
    assert list(results) == []
    assert len(models.frames) == len(sweep)


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


def test_a_cache_that_is_shortened_while_it_is_read_is_none(
    analysis, sweep, setup, monkeypatch, caplog
):
    cache.save(analysis)
    read, path = TensorBytes.read_into, cached_file()

    def cut_and_read(self, name, memory):
        with path.open("r+b") as file:
            file.truncate(300)
        read(self, name, memory)

    monkeypatch.setattr(TensorBytes, "read_into", cut_and_read)
    assert cache.load(sweep, setup) is None
    assert "damaged" in caplog.text


def test_a_cache_that_cannot_be_written_only_warns(analysis, sweep, setup, caplog):
    paths.cache().mkdir(parents=True, exist_ok=True)
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
