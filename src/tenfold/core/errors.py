"""The errors that Tenfold raises beyond Python's own, in one place so that they can be caught by name."""

from __future__ import annotations

from collections.abc import Sequence


class TenfoldError(Exception):
    """Base of the errors that are Tenfold's own."""


class ModelFormatError(TenfoldError, ValueError):
    """A model's files are malformed: the message names the file and the field."""


class UnsupportedOpError(TenfoldError, ValueError):
    """A model uses ops that Tenfold does not know; `ops` lists all of them.

    Attributes:
        ops: the names of the unknown ops, sorted.
    """

    def __init__(self, message: str, ops: Sequence[str]) -> None:
        super().__init__(message)
        self.ops = tuple(ops)


class BackendError(TenfoldError, RuntimeError):
    """A backend is unknown, failed to initialise or is not ready."""


class KernelNotFoundError(TenfoldError, LookupError):
    """A backend has no implementation of a kernel."""


class GradientNotFoundError(TenfoldError, LookupError):
    """A kernel has no registered gradient."""


class DeviceLostError(TenfoldError, RuntimeError):
    """A device lost its state, and with it every tensor that lived there."""


class TrapError(TenfoldError, RuntimeError):
    """Compiled code stopped at something impossible: an address outside of the memory, say."""


class DisposedError(TenfoldError, RuntimeError):
    """A tensor was used after its disposal."""


class TracingError(TenfoldError, RuntimeError):
    """A function cannot be traced: it does something that a replay of its kernels could not repeat."""


class FetchError(TenfoldError, OSError):
    """A request failed: the host was not reached, or it answered with an error.

    Attributes:
        url: the address that was asked for.
        status: the HTTP status of the answer, None where there was none.
    """

    def __init__(self, message: str, url: str, status: int | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.status = status


class PackageError(TenfoldError, RuntimeError):
    """A package could not be fetched, did not match its digest, or was refused while being unpacked."""
