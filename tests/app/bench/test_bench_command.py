"""What ``nerfcall bench`` says where its extra is missing."""

import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from app.cli import main


@pytest.mark.parametrize("package", ["scipy", "matplotlib"])
def test_a_missing_extra_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    package: str,
) -> None:
    folder = tmp_path_factory.mktemp("report")
    for name in [name for name in sys.modules if name == package or name.startswith((f"{package}.", "app.bench"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["bench", "report", str(folder), "-o", str(folder / "out")]) == 1
    said = capsys.readouterr().err
    assert package in said
    assert "nerfcall[bench]" in said


def test_an_error_of_our_own_is_not_taken_for_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.commands import bench

    def run(args: object) -> int:
        raise ModuleNotFoundError("No module named 'app.bench.nothing'", name="app.bench.nothing")

    monkeypatch.setattr(bench, "_module", lambda name: SimpleNamespace(run=run))
    with pytest.raises(ModuleNotFoundError):
        bench.run(Namespace(bench="tracking"))
