"""An archive in shares: each sweep in one of them, whoever else runs."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.analysis.files import folder_name
from napari_fetal_iqa.cli.shards import Shard
from napari_fetal_iqa.io import write_volume

EXAMPLE = Path(__file__).parents[3] / "examples" / "analyse_archive.sbatch"


def shares(count):
    return [Shard(number, count) for number in range(1, count + 1)]


@given(st.text(max_size=40), st.integers(1, 50))
def test_every_sweep_is_of_one_share_and_all_of_one_folder_of_the_same(name, count):
    mine = [share.holds(name) for share in shares(count)]
    assert sum(mine) == 1
    assert [share.holds(folder_name(name)) for share in shares(count)] == mine


def test_shares_are_about_as_large_as_each_other_and_the_same_in_every_process():
    names = [f"case_{number:05}" for number in range(8000)]
    sizes = [sum(map(share.holds, names)) for share in shares(8)]
    assert sum(sizes) == 8000
    assert min(sizes) > 900
    assert [share.number for share in shares(8) if share.holds("case_17")] == [7]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "1/4/2", "-1/4", "a/b", "", "١/٢"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(typer.BadParameter, match="expected one of several shares, as 1/8"):
        Shard.parse(text)


def test_the_shares_together_are_the_whole_archive(run, tmp_path, tiny_models):
    frames = np.random.default_rng(0).integers(20, 200, (2, 60, 80), dtype=np.uint8)
    for number in range(5):
        write_volume(tmp_path / "in" / f"{number}.mha", frames + np.uint8(number), (0.5, 0.5))
    analyse = ("analyse", tmp_path / "in", "--cls", tiny_models["cls"], "--seg", "")
    assert run(*analyse, "--out", tmp_path / "whole")[0] == 0

    for number in (1, 2, 3):
        code, _, err = run(*analyse, "--out", tmp_path / "shared", "--shard", f"{number}/3")
        assert code == 0, err
        assert f"Share {number}/3: " in err
        assert "of 5" in err

    def tables(folder):
        return {path.parent.name: path.read_bytes() for path in folder.glob("*/frames.csv")}

    assert len(tables(tmp_path / "shared")) == 5
    assert tables(tmp_path / "shared") == tables(tmp_path / "whole")
    code, _, err = run(*analyse, "--out", tmp_path / "x", "--shard", "4/3")
    assert code == 2
    assert "expected one of several shares" in err


@pytest.mark.skipif(shutil.which("bash") is None, reason="the job array is a bash script")
def test_the_job_array_of_the_examples_names_its_share(tmp_path):
    program = tmp_path / "napari-fetal-iqa"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_ARRAY_TASK_ID": "3",
        "SLURM_ARRAY_TASK_COUNT": "32",
    }
    done = subprocess.run(
        ["bash", EXAMPLE, "my sweeps", "results"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout == "analyse my sweeps --out results --shard 3/32\n"
