import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource

import torch

from fetal_iqa_models import choose_device


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(2**24)  # 64 MB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


given_back = faults()
choose_device("cpu")
faults()
print(given_back, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_who_computes_on_the_cpu_keeps_the_memory_that_it_frees() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS], capture_output=True, text=True, check=True
    )
    given_back, kept = map(int, done.stdout.split())
    assert kept < given_back / 10
