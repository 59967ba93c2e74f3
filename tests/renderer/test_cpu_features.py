"""What the processor can do, and the compiled kernels on processors that can do less than this one."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from numba import config

from renderer.kernels.cpu_features import LANES, has

KERNELS = Path(__file__).parent / "test_cpu_kernels.py"

RUN = """
import sys, pytest, renderer.kernels.cpu_features as cpu
assert (cpu.LANES, cpu.BFLOAT16, cpu.MATRICES) == ({lanes}, False, False)
sys.exit(pytest.main([{path!r}, "-k", {chosen!r}, "-p", "no:cacheprovider", "-p", "no:xdist"]))
"""


def test_numba_can_be_told_to_make_do_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CPU_FEATURES", "+avx2,+fma,-avx512f")
    assert has("avx2", "fma")
    assert not has("avx2", "avx512f")
    assert not has("sse4.2")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the processors named here are of another kind")
@pytest.mark.parametrize(
    ("name", "features", "lanes", "chosen"),
    [("haswell", "+avx2,+fma", 8, "layer or march or pictures"), ("nehalem", "+sse4.2", 4, "layer or march")],
)
def test_the_kernels_equal_their_twins_on(name: str, features: str, lanes: int, chosen: str) -> None:
    if lanes > LANES:
        pytest.skip("this processor has less than that")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment |= {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "ATEN_CPU_CAPABILITY": "default"}
    command = [sys.executable, "-c", RUN.format(lanes=lanes, path=str(KERNELS), chosen=chosen)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
