"""How many cores there are to use."""

import os
import subprocess
import sys

import joblib
import psutil
import pytest

from common import cores


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores with two threads each; a process may use all of them, and no Slurm has given it less."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 16)
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    return monkeypatch


def test_hyperthreads_are_no_cores_and_a_container_or_an_affinity_of_fewer_holds(machine: pytest.MonkeyPatch) -> None:
    assert cores.available() == 8
    with machine.context() as bound:
        bound.setattr(joblib, "cpu_count", lambda: 3)
        assert cores.available() == 3
    machine.setattr(psutil, "cpu_count", lambda logical=True: None)
    assert cores.available() == 16, "where the system does not tell them apart"


@pytest.mark.parametrize(("given", "expected"), [("2", 2), ("12", 8), ("0", 8), ("", 8), ("2(x2)", 8)])
def test_a_slurm_job_has_what_it_was_given(given: str, expected: int, machine: pytest.MonkeyPatch) -> None:
    machine.setenv("SLURM_CPUS_ON_NODE", given)
    assert cores.available() == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("4", 4), ("4,2", 4), (" 5 ", 5), ("many", None), ("0", None), ("", None)]
)
def test_the_person_says_how_many_threads_in_the_way_of_openmp(
    given: str, expected: int | None, machine: pytest.MonkeyPatch
) -> None:
    assert cores.omp_threads({"OMP_NUM_THREADS": given}) == expected
    assert cores.threads({"OMP_NUM_THREADS": given}) == (expected or 8)
    assert cores.threads({}) == 8


BOUND = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from common import cores
print(cores.available())
"""
ASKED = """
import sys
from common import cores
cores.threads({"OMP_NUM_THREADS": "2"})
print("joblib" in sys.modules)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are not bound to cores here")
def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    printed = subprocess.run([sys.executable, "-c", BOUND], capture_output=True, text=True, check=True)
    assert printed.stdout == "1\n"


def test_who_only_asks_for_threads_that_were_given_imports_nothing_large() -> None:
    printed = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert printed.stdout == "False\n"
