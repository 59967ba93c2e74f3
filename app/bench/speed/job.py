"""Parts of the measurement that need a process of their own: threads are set before libraries load, memory is theirs.

Such a process is the program itself with the hidden option ``--job FILE``. The file names the module that does the
work, a function ``job(arguments) -> dict`` in it, and what it is given; the answer is written beside it.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from app import cli
from app.errors import UserError

JOBS: Final = {
    "states": "app.bench.speed.states",
    "render": "app.bench.speed.rendering",
    "floor": "app.bench.speed.floor",
    "call": "app.bench.speed.observed_call",
    "rivals": "app.bench.speed.rivals",
}

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY")
"""Set for the bench itself by whoever runs it, perhaps; a measured process decides them anew."""


class JobError(UserError):
    """A part of the measurement did not come to an end."""


@dataclass(frozen=True, slots=True)
class Job:
    """A process that is to be started: what it runs, and where its answer will lie."""

    name: str
    command: list[str]
    environment: dict[str, str]
    answer: Path

    def read(self, status: int) -> dict[str, Any]:
        """Return the answer of the process that ended with ``status``; raise `JobError` when there is none."""
        try:
            content: dict[str, Any] = json.loads(self.answer.read_text())
        except (OSError, ValueError):
            raise JobError(f"the measuring process ({self.name}) ended with status {status}: see above") from None
        if "error" in content:
            error = JobError(content["error"])
            error.exit_status = content["status"]
            raise error
        return content


def prepare_job(
    name: str, arguments: Mapping[str, Any], folder: Path, own_arguments: list[str], threads: int | None = None
) -> Job:
    """Write a job's file.

    Args:
        name: one of `JOBS`.
        arguments: for the job, JSON.
        folder: where files of the jobs may lie.
        own_arguments: what the command line of ``bench speed`` demands.
        threads: for the numeric libraries of the process, from its very start; None lets it decide by itself.
    """
    number = len(list(folder.glob("*.job.json")))
    path, answer = folder / f"{number}-{name}.job.json", folder / f"{number}-{name}.answer.json"
    path.write_text(json.dumps({"job": name, "arguments": dict(arguments), "answer": str(answer)}))
    environment = {key: value for key, value in os.environ.items() if key not in THREAD_VARIABLES}
    if threads is not None:
        # OpenBLAS serves numpy alone, which multiplies nothing large here.
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
    command = [*cli.own_command(), "bench", "speed", *own_arguments, "--job", str(path)]
    return Job(name, command, environment, answer)


def do_job(job: Job) -> dict[str, Any]:
    """Run a job and return its answer. Raises `JobError`."""
    done = subprocess.run(job.command, env=job.environment, stdin=subprocess.DEVNULL, check=False)
    return job.read(done.returncode)


def run_job(path: Path) -> int:
    """Be the process of a job: do what ``path`` says and write the answer."""
    content = json.loads(path.read_text())
    answer = Path(content["answer"])
    try:
        result = import_module(JOBS[content["job"]]).job(content["arguments"])
    except Exception as error:
        status = cli.exit_status(error)
        if not status:
            raise
        result = {"error": cli.sentence(error), "status": status}
    answer.write_text(json.dumps(result, allow_nan=False))
    return 0
