"""The segmenter sees frames that the classifier leaves a chance; what it did not see says so."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from fetal_iqa_models.cards import model_hash
from fetal_iqa_models.cascade_bound import BOUND_FILE, CascadeBound, load_bound, save_bound
from napari_fetal_iqa.analysis import Analyser, analyse_sweep, cache, choose_models
from napari_fetal_iqa.analysis.cascade import parse_cascade
from napari_fetal_iqa.analysis.files import summary, write_results
from napari_fetal_iqa.errors import AnalysisError

BOUND = 0.3
DEMO = ("demo-cls", "demo-seg")


@pytest.fixture(scope="module")
def whole(sweep):
    return analyse_sweep(sweep, *DEMO, device="cpu", use_cache=False)


@pytest.fixture(scope="module")
def part(sweep):
    return analyse_sweep(sweep, *DEMO, device="cpu", use_cache=False, cascade=BOUND)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_no_more_than_the_chosen_frames_are_outlined_and_those_as_before(sweep, whole, engine):
    found = analyse_sweep(
        sweep, *DEMO, device="cpu", use_cache=False, engine=engine, cascade=BOUND, batch_size=7
    )
    seen = found.quality >= BOUND
    assert 0 < seen.sum() < len(sweep)
    assert found.complete
    assert np.array_equal(found.spared, ~seen)
    assert np.isnan(found.area_fraction[~seen]).all()
    assert found.area_fraction[seen] == pytest.approx(whole.area_fraction[seen], abs=2e-3)
    assert [found.packed_mask(f) is None for f in range(len(sweep))] == (~seen).tolist()
    assert found.best_frame() == whole.best_frame()
    assert np.array_equal(found.labels(), whole.labels())


def test_a_spared_frame_is_none_by_its_quality_or_else_open(part):
    spared = part.spared
    assert (part.labels()[spared] == 0).all()
    lowered = replace(part.setup.thresholds, quality=0.01)
    before = part.setup.thresholds
    part.set_thresholds(lowered)
    try:
        over = spared & (part.quality > 0.01)
        assert over.any()
        assert (part.labels()[over] == -1).all()  # nobody looked for its outline
        assert (part.labels()[spared & ~over] == 0).all()
    finally:
        part.set_thresholds(before)


def test_the_files_say_which_frames_were_outlined(part, tmp_path):
    write_results(part, tmp_path)
    rows = [line.split(",") for line in (tmp_path / "frames.csv").read_text().splitlines()]
    computed, area = rows[0].index("computed"), rows[0].index("area_fraction")
    for frame, row in enumerate(rows[1:]):
        assert row[computed] == ("cls" if part.spared[frame] else "cls+seg")
        assert (row[area] == "") == part.spared[frame]
    told = summary(part)["cascade"]
    assert told == {"bound": BOUND, "frames_not_outlined": int(part.spared.sum())}


def test_a_kept_cascade_is_never_taken_for_the_whole(sweep, part, whole):
    cache.save(part)
    wanted = replace(part.setup, cascade=None)
    assert cache.load(sweep, wanted) is None
    assert cache.load(sweep, part.setup).complete
    kept = cache.load_partial(sweep, wanted)
    assert np.array_equal(kept.lacking, part.spared)
    assert cache.load(sweep, replace(part.setup, cascade=0.9)).complete  # wants less
    cache.save(whole)
    assert not cache.load(sweep, part.setup).spared.any()


def test_a_frame_of_a_cascade_is_outlined_where_it_is_asked_for(sweep, part):
    analyser = Analyser(*DEMO, device="cpu", cascade=BOUND)
    frame = int(np.flatnonzero(part.spared)[0])
    results = [
        analyser.run_batch(
            np.array([frame]), sweep.frames[[frame]], sweep.spacing_mm, sweep.field_of_view, bound
        )
        for bound in (BOUND, None)
    ]
    assert np.isnan(results[0].area_fraction).all()
    assert np.isfinite(results[1].area_fraction).all()


def test_the_bound_lies_beside_the_model_and_is_of_no_other(tiny_models, tmp_path, caplog):
    folder = tmp_path / "cls"
    shutil.copytree(tiny_models["cls"], folder)
    before = model_hash(folder)
    assert load_bound(folder) is None
    bound = CascadeBound(
        bound=0.02, positives=10, missed=0, spared=0.5, cases=1, measured_on="x", model=before
    )
    save_bound(bound, folder)
    assert load_bound(folder) == bound
    assert model_hash(folder) == before
    models = (folder, tiny_models["seg"])
    assert choose_models(*models, cascade="auto").setup().cascade == 0.02
    assert choose_models(*models, cascade=0.4).setup().cascade == 0.4
    assert choose_models(*models).setup().cascade is None
    assert choose_models(folder, None, cascade="auto").setup().cascade is None
    with pytest.raises(AnalysisError, match="need a CLS and a SEG model"):
        choose_models(folder, None, cascade=0.4)
    save_bound(bound.model_copy(update={"model": "0" * 64}), folder)
    assert load_bound(folder) is None
    (folder / BOUND_FILE).write_text("{")
    assert load_bound(folder) is None
    assert len(caplog.messages) == 2


def test_what_is_no_bound_is_refused():
    assert [parse_cascade(text) for text in ("auto", "off", "0.25")] == ["auto", "off", 0.25]
    for text in ("1.5", "-0.1", "nan", "on"):
        with pytest.raises(AnalysisError, match="auto, off or a quality"):
            parse_cascade(text)
