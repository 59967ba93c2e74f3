"""The wheel: everything the program needs, and nothing but ``nerfcall/`` in site-packages."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "codec", "renderer", "signaling")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout."""
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return Path(path)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_site_packages_gets_one_folder(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nerfcall"}


def test_every_module_and_every_data_file_is_in_it(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    expected = {f"nerfcall/_packages/{name}" for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    expected.remove("nerfcall/_packages/app/launcher.py")
    expected.add("nerfcall/__main__.py")
    assert expected - names(wheel) == set()


def test_licence_and_notice_travel_along(wheel: Path) -> None:
    ends = {Path(name).name for name in names(wheel) if "/licenses/" in name}
    assert ends == {"LICENSE", "NOTICE"}


def test_the_command_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    # -S: without site-packages nothing can come from an editable installation of the checkout.
    for command in (["-m", "nerfcall"], [str(tmp_path / "site/nerfcall/__main__.py")]):
        done = subprocess.run(
            [sys.executable, "-S", *command, "--help"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert "doctor" in done.stdout
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path / 'site/nerfcall/_packages')!r})\n"
        "from app.cli import own_command\n"
        "print(own_command()[1])"
    )
    told = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str((tmp_path / "site/nerfcall/__main__.py").resolve())


def test_the_console_script_calls_the_launcher() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"nerfcall": "nerfcall.__main__:main"}
    assert project["license"] == "GPL-3.0-or-later"


def test_only_one_package_brings_cv2() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for group in project.get("optional-dependencies", {}).values() for name in group]
    assert not [name for name in (*project["dependencies"], *extras) if name.startswith("opencv")]


def test_nothing_names_a_registry_host() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    hosts = ("pypi." + "org", "pythonhosted." + "org", "npmjs." + "org", "npmjs." + "com", "download.pytorch." + "org")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".toml", ".md", ".sh", ""} and path.is_file():
            text = path.read_text(errors="replace")
            assert not [host for host in hosts if host in text], name
