"""Shards: the files (or answers, or buffers) whose bytes, one after another, are the weights of a group.

A shard knows how large it is before it is read, so nothing is allocated for bytes that are not there. A
`ShardReader` hands out the bytes of one weight after another and does not care where one shard ends and the
next begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol

import numpy as np

from tenfold.core.errors import ModelFormatError
from tenfold.models.io.progress import Progress

CHUNK_BYTES = 1 << 20

BytesLike = bytes | bytearray | memoryview | np.ndarray


class ReadableStream(Protocol):
    """What a shard is read from: a file or an answer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fills (the beginning of) a buffer and says how many bytes it wrote; 0 at the end."""
        ...

    def close(self) -> None:
        """Releases what the stream holds."""
        ...


class Shard(Protocol):
    """Some bytes of a group of weights."""

    name: str
    size: int

    def read(self, count: int) -> np.ndarray:
        """The next `count` bytes; callers ask for no more than there are."""
        ...

    def close(self) -> None:
        """Releases what the shard holds."""
        ...


class StreamShard:
    """A shard of known size that is read from a file or from an answer, straight into new arrays.

    Args:
        name: for messages.
        size: its bytes.
        stream: gives the bytes.
        progress: told about each of them.
    """

    def __init__(self, name: str, size: int, stream: ReadableStream, progress: Progress) -> None:
        self.name = name
        self.size = size
        self._stream = stream
        self._progress = progress

    def read(self, count: int) -> np.ndarray:
        """The next `count` bytes, in memory of their own.

        Raises:
            ModelFormatError: the stream ended before its size was reached.
        """
        array = np.empty(count, np.uint8)
        fill(array, self._stream, self.name, self._progress)
        return array

    def close(self) -> None:
        """Closes the file or the connection."""
        self._stream.close()


class MemoryShard:
    """A shard that is a buffer already.

    Args:
        name: for messages.
        data: the bytes.
        share: give views of the buffer (which keep it alive) instead of copies.
    """

    def __init__(self, name: str, data: BytesLike, *, share: bool) -> None:
        self.name = name
        self._bytes = as_bytes_array(data)
        self.size = self._bytes.size
        self._share = share
        self._position = 0

    def read(self, count: int) -> np.ndarray:
        """The next `count` bytes, as a view or a copy."""
        piece = self._bytes[self._position : self._position + count]
        self._position += count
        return piece if self._share else piece.copy()

    def close(self) -> None:
        """Lets go of the buffer."""
        self._bytes = self._bytes[:0]


def fill(array: np.ndarray, stream: ReadableStream, name: str, progress: Progress) -> None:
    """Fills an array of bytes from a stream.

    Raises:
        ModelFormatError: the stream ended before.
    """
    view = array.data
    done = 0
    while done < array.size:
        got = stream.readinto(view[done : done + CHUNK_BYTES]) or 0
        if not got:
            raise ModelFormatError(f"{name} is truncated: it ends {array.size - done} bytes too early.")
        done += got
        progress.advance(got)


class ShardReader:
    """Reads the shards of one group as one sequence of bytes.

    Shards come from an iterator, which opens each when it is asked for it. Use it as a context manager: it
    closes the shard at hand whatever happens.

    Args:
        shards: opens one shard after another.
        where: the file and field of the group, for messages.
        limit: how many bytes the shards may have together.
    """

    def __init__(self, shards: Iterable[Shard], where: str, limit: int) -> None:
        self._shards: Iterator[Shard] = iter(shards)
        self._where = where
        self._limit = limit
        self._shard: Shard | None = None
        self._left = 0
        self.sizes: list[int] = []

    def take(self, count: int, what: str) -> np.ndarray:
        """The next `count` bytes, all of them in one array.

        Raises:
            ModelFormatError: there are fewer; `what` is named as what they were for.
        """
        pieces: list[np.ndarray] = []
        missing = count
        while missing:
            shard = self._current()
            if shard is None:
                raise ModelFormatError(
                    f"{self._where}: {what} wants {count} bytes, of which {missing} are missing: the files are "
                    "truncated, or one is not listed."
                )
            piece = shard.read(min(missing, self._left))
            self._left -= piece.size
            missing -= piece.size
            pieces.append(piece)
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty(0, np.uint8)

    def finish(self) -> None:
        """Checks that nothing is left.

        Raises:
            ModelFormatError: the shards have more bytes than the weights.
        """
        if self._current() is not None:
            raise ModelFormatError(f"{self._where}: the files have more bytes than the weights that are listed.")

    def _current(self) -> Shard | None:
        """The shard that has the next byte; None when there is no such byte."""
        while not self._left:
            self._close()
            self._shard = next(self._shards, None)
            if self._shard is None:
                return None
            self._left = self._shard.size
            self.sizes.append(self._left)
            if sum(self.sizes) > self._limit:
                raise ModelFormatError(
                    f"{self._where}: {self._shard.name} has {self._left} bytes, which makes more than the "
                    "weights that are listed."
                )
        return self._shard

    def _close(self) -> None:
        if self._shard is not None:
            self._shard.close()

    def __enter__(self) -> ShardReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


class CompositeBuffer:
    """Several buffers that are to be read as one, without copying them together.

    Args:
        parts: the buffers; a single one may be given bare. None stands for no bytes at all.
    """

    def __init__(self, parts: BytesLike | Sequence[BytesLike] | None = None) -> None:
        if parts is None:
            parts = ()
        elif isinstance(parts, BytesLike):
            parts = (parts,)
        self.parts = tuple(as_bytes_array(part).data for part in parts)

    def __len__(self) -> int:
        return sum(part.nbytes for part in self.parts)

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)

    def slice(self, start: int = 0, end: int | None = None) -> memoryview:
        """The bytes from `start` to `end`, as a view where they lie in one part and as a copy otherwise.

        A negative start is 0, and an end beyond the last byte is the end, as in TensorFlow.js.
        """
        start = max(start, 0)
        end = len(self) if end is None else min(end, len(self))
        pieces: list[memoryview] = []
        position = 0
        for part in self.parts:
            piece = part[max(start - position, 0) : max(end - position, 0)]
            if piece.nbytes:
                pieces.append(piece)
            position += part.nbytes
        return pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))


def as_bytes_array(data: BytesLike) -> np.ndarray:
    """The bytes of a buffer as a flat `uint8` array that shares its memory.

    Raises:
        TypeError: this is no buffer, or its bytes do not lie one after another.
    """
    if isinstance(data, np.ndarray):
        if not data.flags.c_contiguous or data.dtype.hasobject:
            raise TypeError("Weight data must be contiguous bytes; give np.ascontiguousarray(data).")
        return data.reshape(-1).view(np.uint8)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"Weight data must be bytes, a bytearray, a memoryview or an array, not {type(data)}.")
    view = memoryview(data)
    if not view.c_contiguous:
        raise TypeError("Weight data must be contiguous bytes, not a strided memoryview.")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
