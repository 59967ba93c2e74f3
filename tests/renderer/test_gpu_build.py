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
    rendering = {"prepare", "blend", "search", "march", "finish"}
    assert set(built) == rendering | {"read", "read_backward", "composite", "composite_backward"}
    for name, needs in built.items():
        # What a block may have without being asked for more; and hardly anything spills where a frame has one of it.
        assert needs["shared"] <= 48 << 10, name
        assert needs["stack"] <= (64 if name == "prepare" else 0), name
    # A third of an SM's 65,536 registers: three tiles of 128 threads march at a time.
    assert built["march"]["registers"] <= 65536 // 3 // 128
    assert [name for name, needs in built.items() if needs["matrix_units"]] == ["prepare", "march", "finish"]
