"""Models in folders: model.json, and the weight files beside it."""

from __future__ import annotations

import json
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from tenfold.core.errors import ModelFormatError
from tenfold.devices.host import run_in_thread
from tenfold.models.io.artifacts import ManifestGroup, ModelArtifacts, SaveResult, describe
from tenfold.models.io.handlers import LoadOptions
from tenfold.models.io.manifest import MAX_JSON_BYTES, MODEL_FILE, check_shard_name, parse_model_json
from tenfold.models.io.progress import Progress, run_with_progress
from tenfold.models.io.shards import CompositeBuffer, MemoryShard, Shard, StreamShard, fill
from tenfold.models.io.weights import WeightReader, stored_bytes

FILE_SCHEME = "file://"
# Their sizes are multiples of 4, so each begins where it can be used in place.
WORD_DTYPES = frozenset({"float32", "int32", "complex64"})


class FileHandler:
    """Loads a model from a folder and saves it into one.

    Args:
        path: model.json (by any name that ends in .json), or the folder that holds it.
        options: how to load.
    """

    def __init__(self, path: str | os.PathLike[str], options: LoadOptions | None = None) -> None:
        self.path = Path(path)
        self._options = options or LoadOptions()

    def load(self) -> ModelArtifacts:
        """Reads the model.

        Raises:
            FileNotFoundError: there is no such file, or no model in the folder.
            ModelFormatError: a file is malformed or missing.
        """
        return self._load(self._options)

    async def load_async(self) -> ModelArtifacts:
        """Reads the model in a thread."""
        options = self._options
        return await run_with_progress(
            lambda report: self._load(replace(options, on_progress=report)), options.on_progress
        )

    def load_weights(self, artifacts: ModelArtifacts) -> ModelArtifacts:
        """A model with the weights that its manifest lists, read from beside model.json."""
        return self._load_weights(artifacts, self.path, self._options)

    async def load_weights_async(self, artifacts: ModelArtifacts) -> ModelArtifacts:
        """Does in a thread what `load_weights` does."""
        options = self._options
        return await run_with_progress(
            lambda report: self._load_weights(artifacts, self.path, replace(options, on_progress=report)),
            options.on_progress,
        )

    def save(self, artifacts: ModelArtifacts) -> SaveResult:
        """Writes model.json and the weight files.

        All files are written beside their places first and then renamed, model.json last, so a reader finds
        the old model or the new one.
        """
        folder, name = (self.path.parent, self.path.name) if self.path.suffix == ".json" else (self.path, MODEL_FILE)
        data = artifacts.weights.encode() if artifacts.weights else CompositeBuffer()
        manifest = artifacts.manifest_to_save(len(data)) if artifacts.weights else None
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            written: list[tuple[Path, Path]] = []
            position = 0
            for group in manifest or ():
                for path, size in zip(group.paths, group.shard_sizes, strict=True):
                    target = _below(folder, path, str(self.path))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    content = data.slice(position, position + size)
                    written.append((_write_beside(target, content, stack), target))
                    position += size
            text = json.dumps(artifacts.to_json(manifest), separators=(",", ":"), allow_nan=False)
            written.append((_write_beside(folder / name, text.encode(), stack), folder / name))
            for temporary, target in written:
                os.replace(temporary, target)
        return SaveResult(describe(artifacts, len(data)))

    async def save_async(self, artifacts: ModelArtifacts) -> SaveResult:
        """Writes the model in a thread."""
        return await run_in_thread(self.save, artifacts)

    def _load(self, options: LoadOptions) -> ModelArtifacts:
        path = find_model_file(self.path)
        return self._load_weights(parse_model_json(_read_json(path), str(path), options.max_bytes), path, options)

    def _load_weights(self, artifacts: ModelArtifacts, path: Path, options: LoadOptions) -> ModelArtifacts:
        if artifacts.manifest is None:
            return artifacts
        prefix = options.weight_path_prefix
        folder = path.parent if prefix is None else path_of(prefix)
        groups = [
            _FileGroup(folder, group, f"{path}: weightsManifest[{i}]", options.max_bytes)
            for i, group in enumerate(artifacts.manifest)
        ]
        progress = Progress(options.on_progress, max(sum(sum(group.sizes) for group in groups), 1))
        reader = WeightReader()
        for group in groups:
            reader.read_group(group.group.specs, group.shards(progress), group.where, sum(group.sizes))
        progress.finish()
        manifest = tuple(replace(group.group, shard_sizes=tuple(group.sizes)) for group in groups)
        return replace(artifacts, weights=reader.finish(), manifest=manifest)


class _FileGroup:
    """The files of one group of weights, found and measured before any of them is read."""

    def __init__(self, folder: Path, group: ManifestGroup, where: str, max_bytes: int) -> None:
        self.group = group
        self.where = where
        self.paths = [_below(folder, path, where) for path in group.paths]
        self.sizes = [_regular_file_size(path, where) for path in self.paths]
        least, most = stored_bytes(group.specs, max_bytes)
        if not least <= sum(self.sizes) <= most:
            wanted = f"{least} bytes" if least == most else f"at least {least} bytes"
            raise ModelFormatError(
                f"{where}: the weights take {wanted}, but the files ({', '.join(group.paths)}) have "
                f"{sum(self.sizes)}: they are truncated, oversized or of another model."
            )

    def shards(self, progress: Progress) -> Iterator[Shard]:
        """The files one after another, each opened when it is asked for.

        Where all weights can be views of one aligned buffer, the files are read into such a one instead.
        Otherwise the weights are read one by one, so that no bytes are kept beside what they are decoded to.
        """
        files = zip(self.paths, self.sizes, strict=True)
        if any(spec.quantization or spec.dtype not in WORD_DTYPES for spec in self.group.specs):
            for path, size in files:
                yield StreamShard(str(path), size, path.open("rb"), progress)
            return
        everything = np.empty(sum(self.sizes), np.uint8)
        position = 0
        for path, size in files:
            with path.open("rb", buffering=0) as file:
                fill(everything[position : position + size], file, str(path), progress)
            position += size
        yield MemoryShard(self.where, everything, share=True)


def path_of(url: str) -> Path:
    """The path that a `file://` address or a plain path means; `file://./model` is a relative one."""
    if not url.startswith(FILE_SCHEME):
        return Path(url)
    text = unquote(url.removeprefix(FILE_SCHEME)).removeprefix("localhost/")
    return Path(text)


def find_model_file(path: Path) -> Path:
    """The model.json that a path means.

    Raises:
        FileNotFoundError: there is nothing at the path, or no model or more than one in the folder.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if not path.is_dir():
        return path
    if (path / MODEL_FILE).exists():
        return path / MODEL_FILE
    models = [file for file in sorted(path.glob("*.json")) if _looks_like_model(file)]
    if len(models) == 1:
        return models[0]
    if not models:
        raise FileNotFoundError(f"The folder {path} holds no model.json, nor another JSON file of a model.")
    names = ", ".join(file.name for file in models[:10]) + (", ..." if len(models) > 10 else "")
    raise FileNotFoundError(f"The folder {path} holds {len(models)} models; name one of them: {names}.")


def _looks_like_model(file: Path) -> bool:
    """Whether a JSON file is worth parsing: its text has one of the keys that make it a model."""
    if not file.is_file() or file.stat().st_size > MAX_JSON_BYTES:
        return False
    text = file.read_bytes()
    return b'"modelTopology"' in text or b'"weightsManifest"' in text


def _read_json(path: Path) -> bytes:
    size = _regular_file_size(path, str(path))
    if size > MAX_JSON_BYTES:
        raise ModelFormatError(f"{path} has {size} bytes; a model.json has at most {MAX_JSON_BYTES}.")
    return path.read_bytes()


def _regular_file_size(path: Path, where: str) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ModelFormatError(f"{where}: the file {path} is missing.") from None
    except OSError as error:
        raise ModelFormatError(f"{where}: the file {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ModelFormatError(f"{where}: {path} is not a file.")
    return status.st_size


def _below(folder: Path, name: str, where: str) -> Path:
    """The path of a shard, which must lie in the folder even after symbolic links are followed."""
    path = folder / check_shard_name(name, where)
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise ModelFormatError(f"{where}: the path {name!r} cannot be followed: {error}.") from error
    if not inside:
        raise ModelFormatError(f"{where}: the path {name!r} is a link that leads out of {folder}.")
    return path


def _write_beside(target: Path, content: bytes | memoryview, stack: ExitStack) -> Path:
    """Writes a file that will be renamed to `target`; it goes when the stack unwinds before that."""
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    stack.callback(temporary.unlink, missing_ok=True)
    temporary.write_bytes(content)
    return temporary
