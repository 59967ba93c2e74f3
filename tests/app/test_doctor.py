"""The doctor: says what is missing and what to do, also where nothing is installed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app import assets, cli, diagnosis
from app.diagnosis import Finding, Probe

ROOT = Path(__file__).parents[2]


def test_a_bare_python_is_told_everything_that_is_missing(tmp_path: Path) -> None:
    # -I and -S: neither site-packages nor the checkout's installation are on the path.
    command = [sys.executable, "-I", "-S", str(ROOT / "app/launcher.py"), "doctor", "--json"]
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    found = {row["topic"]: row for row in json.loads(done.stdout)}
    for name in (*diagnosis.PACKAGES, *assets.ASSETS):
        assert not found[name]["ok"]
        assert found[name]["needed"]
        assert found[name]["remedy"]
    for name in ("GPU", "camera", "microphone", "screen"):
        assert found[name]["ok"] or found[name]["remedy"]
    assert found["nerfcall"]["ok"]
    assert found["python"]["ok"]


def test_the_table_names_the_remedy_below_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Finding("GPU", True, "a card"), Finding("camera", False, "none", "plug one in", needed=False)]
    monkeypatch.setattr(diagnosis, "findings", lambda: iter(rows))
    assert cli.main(["doctor"]) == 0, "a camera is not needed"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "GPU", "a", "card"]
    assert lines[1].split() == ["absent", "camera", "none"]
    assert lines[2].split() == ["->", "plug", "one", "in"]
    rows.append(Finding("torch", False, "not installed", "install it"))
    assert cli.main(["doctor"]) == 1
    assert "MISSING  torch" in capsys.readouterr().out


def test_model_files_are_told_as_missing_damaged_or_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    content = b"model"
    digest = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    asset = assets.Asset("model.bin", "test", len(content), digest, "CC0-1.0", "us", ())
    monkeypatch.setattr(diagnosis, "ASSETS", {asset.name: asset})

    def state() -> Finding:
        return list(diagnosis.model_files())[-1]

    assert "not there" in state().detail
    assert "doctor --fetch" in state().remedy
    (tmp_path / "nerfcall").mkdir()
    (tmp_path / "nerfcall/model.bin").write_bytes(b"m0del")
    assert "damaged" in state().detail
    (tmp_path / "nerfcall/model.bin").write_bytes(content)
    assert state().ok


@pytest.mark.parametrize(
    ("smi", "torch", "ok", "told"),
    [
        (Probe(True, "H200, 570.1"), Probe(True, "H200\n12.8"), True, "H200, CUDA 12.8"),
        (Probe(True, "H200, 570.1"), Probe(True, "\n"), False, "build without CUDA"),
        (Probe(True, "H200, 570.1"), Probe(True, "\n12.8"), False, "cannot use it"),
        (Probe(False, "no devices"), Probe(True, "\n"), False, "none"),
        (Probe(False, ""), Probe(False, "No module named 'torch'"), False, "No module named 'torch'"),
    ],
)
def test_the_gpu_and_the_build_of_torch_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, smi: Probe, torch: Probe, ok: bool, told: str
) -> None:
    monkeypatch.setattr(diagnosis.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(diagnosis, "probe", lambda command: torch if command[0] == sys.executable else smi)
    monkeypatch.setattr(diagnosis, "version", lambda package: "3.7.1")
    finding = diagnosis.gpu()
    assert finding.ok is ok
    assert told in finding.detail
    assert ok or finding.remedy


def test_a_gpu_without_triton_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise diagnosis.PackageNotFoundError(package)

    monkeypatch.setattr(diagnosis, "probe", lambda command: Probe(True, "H200\n12.8"))
    monkeypatch.setattr(diagnosis, "version", missing)
    finding = diagnosis.gpu()
    assert not finding.ok
    assert not finding.needed
    assert "slower than with triton" in finding.detail
    assert "install the triton" in finding.remedy


def test_a_probe_that_ends_badly_tells_its_last_line() -> None:
    assert diagnosis.probe_python("raise RuntimeError('no such thing')") == Probe(False, "RuntimeError: no such thing")
    assert diagnosis.probe_python("print(7)") == Probe(True, "7")
    assert not diagnosis.probe(["/nonexistent/program"]).ok


def test_missing_libraries_and_missing_packages_need_different_remedies() -> None:
    assert "make setup" in diagnosis.libraries_remedy("ModuleNotFoundError: No module named 'PyQt6'")
    if sys.platform == "linux":
        remedy = diagnosis.libraries_remedy("ImportError: libEGL.so.1: cannot open shared object file")
        assert "apt-get install" in remedy
