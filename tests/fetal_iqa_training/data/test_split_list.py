"""The list of a split: what prepare writes, fit and evaluate read."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.split import (
    PARTS,
    cases_of_part,
    listed_cases,
    read_split,
    split_by_subject,
    split_list,
    write_split,
)
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import evaluate
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import list_cases
from napari_fetal_iqa.io.acouslic import IMAGES


@pytest.fixture
def listed(data, tmp_path):
    """A list as prepare writes it, and the parts that it has."""
    split = split_list(list_cases(data), (0.3, 0.2), seed=4)
    write_split(tmp_path / "split.json", split, {})
    return tmp_path / "split.json", split


def written(path, **parts):
    path.write_text(json.dumps({"training": [], "validation": [], "test": []} | parts))
    return path


def test_what_prepare_writes_is_the_split_of_its_seed(data, listed):
    path, split = listed
    cases, read = listed_cases(data, path)
    assert cases == split_by_subject(list_annotated(data), 0.3, 0.2, seed=4)
    assert [list(getattr(read, part)) for part in PARTS] == [split[part] for part in PARTS]


def test_no_list_is_made_that_no_fit_takes(data):
    with pytest.raises(TrainingError, match="needs validation subjects"):
        split_list(list_cases(data), (0.0, 0.2), seed=0)


def test_the_hash_tells_who_is_in_which_part_and_nothing_else(listed, tmp_path):
    path, split = listed
    shuffled = {part: split[part][::-1] for part in PARTS}
    assert read_split(written(tmp_path / "b.json", **shuffled)).sha256 == read_split(path).sha256
    moved = shuffled | {
        "test": split["test"][1:],
        "training": [*split["training"], split["test"][0]],
    }
    assert read_split(written(tmp_path / "c.json", **moved)).sha256 != read_split(path).sha256


def test_a_case_that_the_data_do_not_have_is_named(data, tmp_path):
    path = written(tmp_path / "s.json", training=["case0", "ghost"], validation=["case1"])
    with pytest.raises(TrainingError, match=r"s\.json: names case 'ghost', not among the annot"):
        listed_cases(data, path)


def test_a_subject_on_two_sides_is_named(data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    table = next(folder.glob("circumferences/*.csv"))
    table.write_text(table.read_text().replace("subject1\n", "subject0\n").replace(
        "case1,subject1,", "case1,subject0,"
    ))  # fmt: skip
    path = written(tmp_path / "s.json", training=["case0", "case2"], validation=["case1"])
    with pytest.raises(
        TrainingError, match="subject 'subject0' is in training and, by case 'case1'"
    ):
        listed_cases(folder, path)


def test_damage_in_a_case_that_the_list_leaves_out_does_not_matter(data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    (folder / IMAGES / "case5.mha").unlink()
    sound = [f"case{number}" for number in range(10) if number != 5]
    path = written(tmp_path / "s.json", training=sound[2:], validation=sound[:2])
    assert len(listed_cases(folder, path)[0].training) == 7
    path = written(tmp_path / "t.json", training=["case5"], validation=["case0"])
    with pytest.raises(SweepError, match=r"names case case5, but images.*case5\.mha is missing"):
        listed_cases(folder, path)


HOSTILE = {
    "no JSON": b"\x00\xff not a list",
    "not an object": b"[1, 2]",
    "no parts": b'{"training": ["case0"]}',
    "nobody trains": b'{"training": [], "validation": ["case0"], "test": []}',
    "numbers for names": b'{"training": [1], "validation": ["case0"], "test": []}',
    "a name of a megabyte": b'{"training": ["'
    + b"x" * 2**20
    + b'"], "validation": ["a"], "test": []}',
    "deep nesting": b"[" * 100_000,
    "a case twice": b'{"training": ["case0"], "validation": ["case0"], "test": []}',
    "larger than 16 MB": b" " * (2**24 + 1),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_or_hostile_list_is_one_short_line(tmp_path, content):
    path = tmp_path / "split.json"
    path.write_bytes(content)
    with pytest.raises(TrainingError) as error:
        read_split(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*PARTS, "seed"]), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_content_is_a_list_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "split.json"
    path.write_bytes(content)
    try:
        split = read_split(path)
    except TrainingError as caught:
        outcome = str(caught)
    else:
        outcome = split.sha256
    assert outcome
    assert "\n" not in outcome


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.json: cannot be read \(No such file"):
        read_split(tmp_path / "none.json")


def test_evaluate_judges_the_part_of_a_list_alone(data, listed, tiny_models):
    path, split = listed
    for part in ("validation", "test"):
        judged = evaluate(tiny_models["cls"], data, split=path, part=part, device="cpu")
        assert judged.frames == 30 * len(split[part])
        assert {one.sweep.split(",")[0] for one in judged.outcomes} == set(split[part])


def test_a_part_without_cases_is_named(data, tmp_path):
    path = written(tmp_path / "s.json", training=["case0"], validation=["case1"])
    with pytest.raises(TrainingError, match="its part test has no case"):
        cases_of_part(data, path, "test")
