"""The command line as a person meets it: quick to answer, and never with a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import cli
from app.commands import doctor
from app.errors import UsageError, UserError

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "PyQt6", "qasync", "mediapipe", "cv2", "av", "aiortc", "websockets", "numpy", "scipy", "constriction")


def run(*argv: str, program: str = "import sys; from app.cli import main; sys.exit(main())") -> tuple[int, str, str]:
    """Run the command line in a process of its own; return its status, output and complaints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *argv], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_help_names_every_command_without_importing_what_is_heavy() -> None:
    status, output, _ = run(
        "--help",
        program="import sys, atexit\n"
        f"atexit.register(lambda: print('IMPORTED', *(name for name in {HEAVY} if name in sys.modules)))\n"
        "from app.cli import main\n"
        "sys.exit(main())",
    )
    assert status == 0
    assert output.splitlines()[-1] == "IMPORTED"
    for name in cli.command_names():
        assert f"    {name} " in output


@pytest.mark.parametrize("name", cli.command_names())
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: nerfcall {name}" in capsys.readouterr().out
    command = cli.load_command(name)
    assert command.HELP
    assert "\n" not in command.HELP


@pytest.mark.parametrize(
    ("argv", "named"),
    [(["frobnicate"], "frobnicate"), (["doctor", "--frobnicate"], "--frobnicate"), (["--frob"], "--frob")],
)
def test_what_is_not_understood_is_named_in_one_sentence(
    argv: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    complaint = capsys.readouterr().err
    assert ended.value.code == 2
    assert complaint.startswith("nerfcall: ")
    assert named in complaint
    assert "--help" in complaint
    assert complaint.count("\n") == 1


def test_without_a_command_the_overview_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "doctor" in capsys.readouterr().out


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Return the status of a command that raises ``error``."""

    def run(_: object) -> int:
        raise error

    monkeypatch.setattr(doctor, "run", run)
    return cli.main(["doctor"])


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("the clip x does not exist: check the path"), 1, "the clip x does not exist: check the path"),
        (UsageError("two\nlines"), 2, "two lines"),
        (FileNotFoundError(2, "No such file or directory", "/a/b"), 1, "/a/b: No such file or directory"),
        (OSError("no number"), 1, "no number"),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, status: int, line: str
) -> None:
    assert failing(monkeypatch, error) == status
    assert capsys.readouterr().err == f"nerfcall: {line}\n"


def test_the_rooms_errors_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from codec.errors import CodecError
    from signaling.errors import SignalingError

    for kind in (CodecError, SignalingError):
        assert failing(monkeypatch, kind("what happened")) == 1
        assert capsys.readouterr().err == "nerfcall: what happened\n"


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        failing(monkeypatch, ZeroDivisionError())


def test_ctrl_c_ends_quietly() -> None:
    program = (
        "import signal, sys, time\n"
        # A shell that starts tests in the background lets them ignore what they are about to be sent.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from app import cli\n"
        "from app.commands import doctor\n"
        "def run(args):\n    print('working', flush=True)\n    time.sleep(60)\n"
        "doctor.run = run\n"
        "sys.exit(cli.main(['doctor']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=10)
    assert (process.returncode, complaint) == (130, "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = (
        "import sys\n"
        "from app import cli\n"
        "from app.commands import doctor\n"
        "def run(args):\n    for _ in range(100000): print('line')\n    return 0\n"
        "doctor.run = run\n"
        "sys.exit(cli.main(['doctor']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(10) == 141


def test_another_process_of_the_program_can_be_started_from_anywhere(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*cli.own_command(), "--version"],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nerfcall ")
