"""Where tests find the data that is not part of the project.

A test asks for a folder and is skipped, with a reason, where it is absent; with CI=true a skip is a failure
(conftest.py of the repository). The functions may be called at a module's top level.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.testdata import REPOSITORY, NpmPackage, human_models_root, model_file, shared_root, vectors_root

__all__ = ["REPOSITORY", "human_models", "model_path", "package_path", "shared_path", "vectors_path"]


def shared_path(*parts: str) -> Path:
    """A file or folder of the shared test data."""
    return _present(shared_root().joinpath(*parts), "set TENFOLD_SHARED to the folder of shared test data")


def vectors_path() -> Path:
    """The folder of recorded conformance cases (`*.jsonl.gz`)."""
    return _present(vectors_root(), "set TENFOLD_VECTORS to a folder of recorded cases")


def human_models() -> Path:
    """The unpacked npm package of test models; its models are `models/*.json`."""
    return _present(human_models_root(), "`make test` fetches it; TENFOLD_HUMAN_MODELS names another place")


def package_path(package: NpmPackage, *parts: str) -> Path:
    """A file or folder of an npm package of test data."""
    return _present(package.folder.joinpath(*parts), "`make test` fetches it")


def model_path(url: str) -> Path:
    """The model.json that a `url` of models.json means."""
    return _present(model_file(url), "`make test` fetches npm's; TENFOLD_SHARED names the others' place")


def _present(path: Path, remedy: str) -> Path:
    if not path.exists():
        pytest.skip(f"{path} is not there: {remedy}", allow_module_level=True)
    return path
