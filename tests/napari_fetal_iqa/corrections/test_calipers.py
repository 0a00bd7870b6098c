"""Free calipers in the store: events of their own, which undo, merge, check and repair know."""

import sqlite3
import uuid
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.corrections import (
    CorrectionStore,
    Event,
    EventKind,
    Label,
    rescue,
    schema,
    waiting_store,
)
from napari_fetal_iqa.corrections.history import History
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.news import NewsReader
from napari_fetal_iqa.corrections.review_states import ReviewStates
from napari_fetal_iqa.corrections.statistics import overview
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.geometry.caliper import Caliper
from napari_fetal_iqa.sweep import SweepVolume

SWEEP = SweepVolume(np.arange(12 * 24 * 32).astype(np.uint8).reshape(12, 24, 32), (0.3, 0.3))
ID = SWEEP.identity
LINE = Caliper(((2.0, 3.0), (12.0, 3.5)))
LONGER = Caliper(((2.0, 3.0), (20.0, 3.5)))
ROUND = Caliper(((10.0, 4.0), (10.0, 24.0), (2.0, 14.0), (18.0, 14.0)))


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        yield store


def placed(store, reviewer="AK"):
    return [(one.frame, one.caliper) for one in store.calipers(ID, reviewer)]


def test_calipers_are_there_after_reopening_and_are_no_corrections(store):
    store.set_caliper(ID, 7, LINE, "AK")
    store.set_caliper(ID, 3, ROUND, "AK")
    store.set_caliper(ID, 3, LINE, "AK")
    assert store.corrections(ID, "AK") == {}
    with CorrectionStore(store.path) as reopened:
        assert placed(reopened) == [(3, ROUND), (3, LINE), (7, LINE)]
        assert reopened.reviewers(ID) == ["AK"]
        assert placed(reopened, "BM") == []
    (counted,) = overview(store)[0].reviewers
    assert (counted.calipers, counted.labelled, counted.masks) == (3, 0, 0)


def test_moving_deleting_undo_and_redo_go_through_labels_and_calipers_in_turn(store):
    mark = store.set_caliper(ID, 3, LINE, "AK")
    store.set_label(ID, 3, Label.OPTIMAL, "AK")
    store.set_caliper(ID, 3, LONGER, "AK", mark)
    store.set_caliper(ID, 3, None, "AK", mark)
    assert placed(store) == []
    assert store.undo(ID, "AK") == [3]
    assert placed(store) == [(3, LONGER)]
    store.undo(ID, "AK")
    assert placed(store) == [(3, LINE)]
    store.undo(ID, "AK")
    assert store.corrections(ID, "AK") == {}
    store.undo(ID, "AK")
    assert placed(store) == []
    for _ in range(4):
        with CorrectionStore(store.path) as reopened:
            assert placed(reopened) == placed(store)
        store.redo(ID, "AK")
    assert placed(store) == []
    assert store.corrections(ID, "AK")[3].label is Label.OPTIMAL


class CountedName(str):
    """A name that counts how often it is compared with another."""

    __slots__ = ()
    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        CountedName.comparisons += 1
        return str.__eq__(self, other)


def test_the_calipers_of_a_frame_are_found_in_one_pass():
    names = [CountedName(f"m{number}") for number in range(300)]
    history = History(
        Event(ID, "AK", EventKind.CALIPER, f"a{name}", 3, mark=name, caliper=LINE) for name in names
    )
    CountedName.comparisons = 0

    assert [one.mark for one in history.calipers(3)] == names

    assert CountedName.comparisons < 10 * len(names)


DOINGS = st.lists(
    st.one_of(
        st.tuples(
            st.just("say"),
            st.integers(0, 3),
            st.lists(
                st.tuples(
                    st.sampled_from("kmn"),
                    st.integers(0, 1),
                    st.sampled_from([LINE, LONGER, ROUND, None]),
                ),
                min_size=1,
                max_size=3,
            ),
        ),
        st.tuples(st.sampled_from(["undo", "redo"]), st.integers(0, 3), st.just([])),
    ),
    max_size=20,
)


@given(DOINGS)
@settings(deadline=None)
def test_of_each_caliper_that_counts_which_was_said_last(doings):
    """What is redone is said again: the order of what counts is told here by moving it to the end.

    An action goes on where it is said again, as a merge of two stores may tell it.
    """
    events, said, done = [], {}, []
    for place, (what, action, parts) in enumerate(doings):
        if what == "say":
            done += [action] if action not in said else []
            said.setdefault(action, [])
            for mark, frame, caliper in parts:
                said[action].append((place, mark, frame, caliper))
                events.append(
                    Event(
                        *(ID, "AK", EventKind.CALIPER, f"a{action}", frame),
                        mark=mark,
                        caliper=caliper,
                    )
                )
        else:
            events.append(Event(ID, "AK", EventKind(what), f"a{action}"))
            if what == "undo" and action in done:
                done.remove(action)
            elif what == "redo" and action in said and action not in done:
                done.append(action)
                said[action] = [(place, *part) for _, *part in said[action]]
    last = {}
    counting = sorted((part for act in done for part in said[act]), key=lambda part: part[0])
    for _, mark, frame, caliper in counting:
        last[mark, frame] = caliper

    history = History(events)

    for frame in (0, 1):
        found = {one.mark: one.caliper for one in history.calipers(frame)}
        expected = {m: caliper for (m, at), caliper in last.items() if at == frame and caliper}
        assert found == expected
    assert history.calipers() == history.calipers(0) + history.calipers(1)


def test_reviewers_are_read_at_once_and_as_one_by_one(store, monkeypatch):
    """A made-up store may name thousands, and calipers are in no order by reviewer."""
    names = [f"R{number:02}" for number in range(12)]
    for number, name in enumerate(names):
        store.set_label(ID, number, Label.OPTIMAL, name)
        store.set_caliper(ID, number, LINE, name)
        store.set_caliper(ID, 3, ROUND, name)
        if number % 3 == 0:
            store.undo(ID, name)
    with CorrectionStore(store.path) as reopened:
        one_by_one = {
            name: (reopened.corrections(ID, name), placed(reopened, name)) for name in names
        }
    readings = []
    read = waiting_store.WaitingStore.events
    monkeypatch.setattr(
        waiting_store.WaitingStore,
        "events",
        lambda self, *whose: readings.append(whose) or read(self, *whose),
    )

    for look in (overview, lambda opened: ReviewStates(opened).of(ID)):
        readings.clear()
        with CorrectionStore(store.path) as reopened:
            look(reopened)
            assert readings == [(ID,)]
            assert one_by_one == {
                name: (reopened.corrections(ID, name), placed(reopened, name)) for name in names
            }
    assert [len(calipers) for _, calipers in one_by_one.values()] == [1, 2, 2] * 4


def test_the_order_holds_where_the_clock_stands_still(store, monkeypatch):
    """Calipers lie in a table of their own: time alone tells their order among the others."""
    moment = "2026-11-22T10:00:00.000000+00:00"
    monkeypatch.setattr("napari_fetal_iqa.corrections.events.now", lambda: moment)

    def said(kind, action, **more):
        return Event(ID, "AK", kind, action, time=moment, **more)

    store._say([said(EventKind.CALIPER, "a", frame=3, mark="m", caliper=LINE)])
    store._say([said(EventKind.UNDO, "a")])
    store._say([said(EventKind.LABEL, "b", frame=3, label=Label.NONE)])
    with CorrectionStore(store.path) as reopened:
        assert placed(reopened) == []
        assert reopened.history(ID, "AK").next_undo == "b"
        times = [event.time for event in reopened.events()]
    assert times == sorted(set(times))


def test_a_store_of_the_fourth_version_gains_them_and_keeps_every_row(store):
    store.set_label(ID, 3, Label.OPTIMAL, "AK")
    store.close()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("DROP TABLE caliper")
        connection.execute("DROP TABLE remark")
        connection.execute("DROP TABLE age")
        connection.execute("PRAGMA user_version = 4")
    content = store.path.read_bytes()
    with CorrectionStore(store.path, "ro") as untouched:
        assert placed(untouched) == []
        assert untouched.reviewers(ID) == ["AK"]
    assert check_store(store.path, "ro").problems == ()
    assert store.path.read_bytes() == content
    with CorrectionStore(store.path) as reopened:
        reopened.set_caliper(ID, 3, LINE, "AK")
        assert reopened.corrections(ID)[3].label is Label.OPTIMAL
        assert placed(reopened) == [(3, LINE)]
    assert check_store(store.path).events == 2


def test_an_older_program_refuses_a_store_with_calipers(store, monkeypatch):
    store.set_caliper(ID, 3, LINE, "AK")
    store.close()
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 4)
    with pytest.raises(StoreError, match="newer napari-fetal-iqa"):
        CorrectionStore(store.path)


@pytest.mark.parametrize("change", ["DELETE FROM caliper", "UPDATE caliper SET frame = 4"])
def test_what_was_measured_is_never_changed(store, change):
    store.set_caliper(ID, 3, LINE, "AK")
    with (
        closing(sqlite3.connect(store.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(change)


def test_merging_takes_them_over_once(store, tmp_path):
    mark = store.set_caliper(ID, 3, LINE, "AK")
    store.set_caliper(ID, 3, LONGER, "AK", mark)
    with CorrectionStore(tmp_path / "other.sqlite") as other:
        other.add_sweep(SWEEP)
        other.set_caliper(ID, 5, ROUND, "AK")
        assert merge(other, store.path).events == 2
        assert merge(other, store.path).known == 2
        assert placed(other) == [(3, LONGER), (5, ROUND)]


def test_an_event_of_a_known_name_in_the_other_table_is_refused(store):
    store.set_caliper(ID, 3, LINE, "AK")
    (said,) = store.events()
    twin = Event(ID, "AK", EventKind.LABEL, "b", 3, label=Label.NONE, uid=said.uid, time=said.time)
    with pytest.raises(StoreError, match="another event of this name"):
        store.append([twin])
    assert len(store.events()) == 1


REFUSED = {
    "far off": (3, Caliper(((0.0, 0.0), (0.0, 500.0)))),
    "frame beyond": (12, LINE),
    "no caliper": (3, ((0.0, 0.0), (1.0, 1.0))),
}


@pytest.mark.parametrize(("frame", "caliper"), REFUSED.values(), ids=REFUSED)
def test_the_door_refuses_what_cannot_be_measured(store, frame, caliper):
    with pytest.raises(StoreError, match="nothing was written"):
        store.set_caliper(ID, frame, caliper, "AK")
    assert store.events() == []
    assert placed(store) == []


BAD_ROWS = {
    "one point": {"points": "[[1, 1]]"},
    "no JSON": {"points": "[[1,"},
    "deep JSON": {"points": "[" * 900},
    "endless": {"points": f"[[1, {'9' * 900}], [2, 2]]"},
    "infinite": {"points": "[[1, Infinity], [2, 2]]"},
    "an object": {"points": '{"00": 1, "11": 2}'},
    "a blob": {"points": b"[[1, 1], [2, 2]]"},
    "a megabyte": {"points": " " * (1 << 20)},
    "far off": {"points": "[[1, 1], [2, 9999]]"},
    "no name": {"mark": ""},
    "frame beyond": {"frame": 12},
    "noon": {"time": "noon"},
    "unknown sweep": {"of": "b" * 64},
}


@pytest.mark.parametrize("columns", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_and_takes_no_other_with_it(store, write_raw, columns, tmp_path):
    store.set_label(ID, 1, Label.OPTIMAL, "AK")
    store.set_caliper(ID, 3, LINE, "AK")
    row = {
        "time": "2026-11-22T10:00:00.000000+00:00",
        "of": ID,
        "reviewer": "AK",
        "frame": 3,
        "action": "a",
        "mark": "m",
        "tool": "0",
        "uid": uuid.uuid4().hex,
        "points": "[[1, 1], [2, 2]]",
    }
    write_raw(store.path, table="caliper", **{**row, **columns})
    with CorrectionStore(store.path, "ro") as opened:
        assert placed(opened) == [(3, LINE)]
        assert len(opened.events()) == 2
    (line,) = check_store(store.path).problems
    assert line.startswith("caliper 2: ")
    assert len(line) < 300
    assert line.isprintable()
    with (
        CorrectionStore(tmp_path / "other.sqlite") as mine,
        pytest.raises(StoreError, match="caliper 2: "),
    ):
        merge(mine, store.path)
    repair(store.path, tmp_path / "mended.sqlite")
    assert check_store(tmp_path / "mended.sqlite").problems == ()
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        assert placed(mended) == [(3, LINE)]


def test_a_caliper_that_cannot_be_written_counts_waits_and_is_rescued(store, tmp_path):
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnwritableError):
        store.set_caliper(ID, 3, LINE, "AK")
    assert placed(store) == [(3, LINE)]
    kept = rescue(store, tmp_path / "rescued.sqlite")
    with CorrectionStore(kept) as rescued:
        assert placed(rescued) == [(3, LINE)]
    store._connection.execute("PRAGMA query_only = OFF")
    store.write_waiting()
    with CorrectionStore(store.path) as reopened:
        assert placed(reopened) == [(3, LINE)]


def test_another_desk_hears_of_them(store):
    reader = NewsReader(store.path, ID)
    store.set_label(ID, 3, Label.NONE, "AK")
    assert [event.kind for event in reader.look().events] == [EventKind.LABEL]
    with CorrectionStore(store.path) as there:
        there.set_caliper(ID, 3, LINE, "BM")
        news = reader.look()
        assert [event.kind for event in news.events] == [EventKind.CALIPER]
        assert reader.look() is None
        store.take_note(news.events)
        assert placed(store, "BM") == [(3, LINE)]
        there.undo(ID, "BM")
        store.take_note(reader.look().events)
    assert placed(store, "BM") == []
    reader.close()
