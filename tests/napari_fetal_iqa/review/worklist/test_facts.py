"""What a list of sweeps knows of each, without reading its frames."""

import os

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef, cache
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.frames.raw_frames import RawFrames
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.review.worklist.columns import COLUMNS, Row, State, matches, reason, tooltip
from napari_fetal_iqa.review.worklist.facts import FactFinder, SweepFacts, note
from napari_fetal_iqa.review.worklist.listing import files_of

SHAPE = (64, 80)
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)
FOUND = (3, 4, 12)


def disc(radius):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - 32) ** 2 + (columns - 40) ** 2 <= radius**2


@pytest.fixture
def path(tmp_path):
    frames = np.random.default_rng(0).integers(1, 255, (20, *SHAPE), dtype=np.uint8)
    return write_volume(tmp_path / "case.mha", frames, (0.5, 0.5), compress=False)


@pytest.fixture
def session(tmp_path, path):
    """A review of the sweep that both models analysed, which is in the cache."""
    sweep = read_sweep(path)
    note(sweep)
    frames = np.arange(20)
    found = np.isin(frames, FOUND)
    analysis = Analysis(sweep, SETUP)
    analysis.add(
        FrameResults(
            frames=frames,
            quality=np.where(frames == 12, 0.95, np.where(found, 0.9, 0.1)).astype(np.float32),
            area_fraction=np.where(found, 0.1, 0.0).astype(np.float32),
            masks=tuple(encode_mask(disc(20) & (f in FOUND)) for f in frames),
            ac_mm=np.where(found, 63.0, np.nan),
            non_black=np.ones(20, bool),
            seconds={},
        )
    )
    cache.save(analysis)
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        session = ReviewSession(sweep, store, "AK")
        session.begin_analysis(analysis)
        yield session


@pytest.fixture
def look(tmp_path, path):
    def look(reviewer="AK", setup=SETUP, analysis=None):
        with FactFinder(tmp_path / "store.sqlite", reviewer, lambda _: setup) as finder:
            return finder.facts(SweepSource(path), analysis)

    return look


@pytest.fixture
def no_frames(monkeypatch):
    def refuse(*_):
        raise AssertionError("a frame was read")

    monkeypatch.setattr(RawFrames, "__getitem__", refuse)


def test_of_a_sweep_that_was_never_opened_the_header_is_all_that_is_known(look, no_frames):
    facts = look()
    assert facts.frames == 20
    assert facts.identity is facts.analysed is facts.best_frame is facts.corrected is None
    assert not facts.failed


def test_the_list_says_what_the_review_says_and_reads_no_frame(session, look, monkeypatch):
    session.set_label([4], 0)  # two found frames are left, of which 12 scores higher
    session.set_label([3], 0)
    session.set_mask(12, disc(24))
    session.fully_reviewed = True
    best = session.best_frame()
    ac_mm = session.view(best).measurement.circumference_mm
    monkeypatch.setattr(RawFrames, "__getitem__", lambda *_: pytest.fail("a frame was read"))

    facts = look()
    assert (facts.frames, facts.analysed) == (20, 1.0)
    assert facts.best_frame == best == 12
    assert facts.ac_mm == pytest.approx(ac_mm)
    assert facts.ac_mm != pytest.approx(63.0, abs=2)  # the expert's outline is larger
    assert (facts.corrected, facts.corrected_by) == (3, {"AK": 3})
    assert facts.reviewed
    assert look("BM").corrected == 0
    assert not look("BM").reviewed


def test_thresholds_of_the_review_count_in_the_list_too(session, look):
    session.set_thresholds((0.92, 0.01))
    session.remember(0)
    assert session.best_frame() == 12
    assert look().best_frame == 12
    assert look("BM").best_frame == 4


def test_two_reviewers_who_differ_are_counted(session, look, tmp_path):
    session.set_label([3, 4, 5], 1)
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.set_label(session.sweep.identity, [3, 4], 2, "BM")
        store.set_label(session.sweep.identity, [5], 1, "BM")
    assert look().disagreements == 2


def test_models_that_did_not_analyse_it_leave_the_review_alone(session, look):
    session.set_label([3], 1)
    other = AnalysisSetup(ModelRef(id="cls-9", hash="9" * 64, name="another"))
    for setup in (other, None):
        facts = look(setup=setup)
        assert facts.analysed == 0
        assert facts.best_frame is None
        assert facts.corrected == 1


def test_a_file_that_was_changed_since_is_not_taken_for_what_it_was(session, look, path):
    assert look().identity == session.sweep.identity
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    assert look().identity is None
    assert look().best_frame is None


def test_a_sweep_that_cannot_be_read_says_why_in_one_line(look, path):
    path.write_bytes(b"junk")
    facts = look()
    assert facts.failed.startswith("case.mha: expected")
    assert "\n" not in facts.failed
    assert reason(Row(SweepSource(path), "case", facts)) == facts.failed
    path.unlink()
    assert look().failed.startswith("case.mha: no such file")


def test_a_damaged_list_of_known_sweeps_is_as_good_as_none(session, look, caplog):
    from napari_fetal_iqa.storage.known_sweeps import _place

    _place().write_bytes(b"no database at all" * 100)
    assert look().identity is None
    with pytest.raises(OSError, match="cannot be written"):
        note(session.sweep)


def test_a_header_without_its_pixels_beside_it_is_never_taken_as_known(tmp_path):
    header = tmp_path / "case.mhd"
    header.write_text("junk")
    assert files_of(SweepSource(header)) == ()
    (tmp_path / "case.raw").write_bytes(b"")
    assert files_of(SweepSource(header)) == (header, tmp_path / "case.raw")


def test_every_column_has_a_text_and_an_order_for_every_row(session, look, path):
    rows = [Row(SweepSource(path), "case", facts) for facts in (None, look())]
    for column in COLUMNS:
        for row in rows:
            assert isinstance(column.text(row), str)
            assert isinstance(column.key_of(row), float | str | None)
    shown = {column.key: column.text(rows[1]) for column in COLUMNS}
    assert shown["state"] == "analysed"
    assert shown["frames"] == "20"
    assert "Best frame" in tooltip(rows[1])


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (State.ALL, {"a", "failed", "unknown"}),
        (State.TO_REVIEW, {"a"}),
        (State.FAILED, {"failed"}),
        (State.REVIEWED, set()),
    ],
)
def test_rows_are_filtered_by_state_and_by_words(look, path, state, shown):
    a = look()
    path.write_bytes(b"junk")
    rows = {
        "a": Row(SweepSource(path), "exam/first", a),
        "failed": Row(SweepSource(path), "exam/second", look()),
        "unknown": Row(SweepSource(path), "exam/third"),
    }
    assert {name for name, row in rows.items() if matches(row, "", state)} == shown
    assert not matches(rows["a"], "first elsewhere", State.ALL)
    assert matches(rows["a"], "EXAM first", State.ALL)


def test_of_a_sweep_that_is_partly_analysed_no_frame_is_said_to_be_the_best_for_good(path):
    text = {column.key: column for column in COLUMNS}

    def shown(key, **facts):
        row = Row(SweepSource(path), "case", SweepFacts(20, 1, "id", **facts))
        return text[key].text(row), text[key].key_of(row), tooltip(row)

    best, key, tip = shown("best", analysed=0.5, best_frame=-1)
    assert (best, key) == ("…", None)
    assert "No frame analysed so far shows the abdomen" in tip
    assert shown("best", analysed=1.0, best_frame=-1)[:2] == ("none", -1)
    assert shown("best", analysed=0.5, best_frame=-1, reviewed=True)[0] == "none"
    assert shown("best", analysed=0.5, best_frame=12)[:2] == ("12…", 12)
    assert shown("ac", analysed=0.5, best_frame=12, ac_mm=63.0)[0] == "63.0…"
