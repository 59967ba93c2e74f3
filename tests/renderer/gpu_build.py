"""Compiles the kernels for a GPU that need not be there: ``python -m tests.renderer.gpu_build``.

Prints a JSON object: for each kernel its registers a thread, bytes of stack a thread, bytes of shared memory, and
whether its layers run on the matrix units.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from app.bench.speed.stages import StageCounter, looked_into
from renderer.head_field import HeadFieldShape
from renderer.kernels import gpu, gpu_composite, gpu_head, gpu_launch, gpu_picture, gpu_planes, gpu_propose
from tests.renderer import scenes


class AbsentDriver:
    """Says what GPU to compile for."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def resources(kernel: Any) -> dict[str, Any]:
    """Return what a compiled kernel takes."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        said = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    registers, stack = (int(re.findall(rf"{name}:(\d+)", said)[-1]) for name in ("REG", "STACK"))
    units = bool(re.search(r"\b(wgmma|mma)\.", kernel.asm["ptx"]))
    return {"registers": registers, "stack": stack, "shared": kernel.metadata.shared, "matrix_units": units}


def build(capability: int) -> dict[str, Any]:
    """Compile all kernels for a compute capability (90: Hopper), as the usual avatar needs them."""
    import triton.language as tl

    driver.set_active(AbsentDriver(capability))
    built: dict[str, Any] = {}
    kernels = gpu_launch.kernels()

    class Compiling:
        """Stands for a kernel and compiles instead of starting."""

        def __init__(self, name: str, kernel: Any) -> None:
            self._name, self._kernel = name, kernel

        def __getitem__(self, grid: tuple[int, ...]) -> Any:
            def compiled(*arguments: Any, **constants: Any) -> None:
                name = f"{self._name}, counting" if constants.get("COUNT") else self._name
                built[name] = resources(self._kernel.warmup(*arguments, grid=grid, **constants))

            return compiled

    for name, kernel in kernels.items():
        kernels[name] = Compiling(name, kernel)
    training = {
        gpu_propose: ["propose"],
        gpu_planes: ["read", "read_backward"],
        gpu_composite: ["composite", "composite_backward"],
    }
    for module, names in training.items():
        for name in names:
            setattr(module, name, Compiling(name, getattr(module, name)))
    for module in (gpu_head, gpu_picture):
        module.dense_type = lambda device: tl.bfloat16
    gpu.obstacle = lambda device: None
    scenes.USUAL = HeadFieldShape()
    avatar = scenes.usual_avatar()
    state = torch.zeros(30), torch.eye(3), torch.tensor([0.0, 0.0, -60.0]), torch.zeros(10)
    avatar.render(*state, 64, 64, backend="triton")
    with looked_into(avatar, StageCounter()):
        avatar.render(*state, 64, 64, backend="triton")
    gpu._try_training(avatar)
    return built


if __name__ == "__main__":
    print(json.dumps(build(int(sys.argv[1]) if len(sys.argv) > 1 else 90)))
