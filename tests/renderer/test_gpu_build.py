"""The kernels compiled for a GPU that this machine need not have."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from app.assets import cache_folder


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="Triton has no build for it")
def test_the_kernels_fit_a_gpu() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(cache_folder() / "kernels" / "gpu")}
    command = [sys.executable, "-m", "tests.renderer.gpu_build", "90"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = json.loads(done.stdout)
    counting = {f"{name}, counting" for name in ("search", "march", "march_outline", "finish")}
    assert {"prepare", "blend", "search", "march", "find_outline", "march_outline", "finish"} <= set(built)
    assert {"propose", "read", "read_backward", "composite", "composite_backward"} | counting <= set(built)
    for name, needs in built.items():
        # What a block may have without being asked for more; and what every pixel goes through spills nothing.
        assert needs["shared"] <= 48 << 10, name
        assert needs["stack"] <= (0 if name in ("march", "search", "finish") else 64), name
    # A third of an SM's 65,536 registers: three tiles of 128 threads march at a time.
    assert built["march"]["registers"] <= 65536 // 3 // 128
    assert all(built[name]["matrix_units"] for name in ("prepare", "march", "finish"))
