"""Symbols: tensors without values, which stand for those of each call while a function is traced.

A symbol is an ordinary tensor over a storage whose backend is this module's and whose data says what it stands for.
Everything that only looks at shapes and dtypes works; everything that would read values ends here, with an error that
names what was called.
"""

from __future__ import annotations

import numbers
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from tenfold.core.errors import TracingError
from tenfold.core.kernel import TensorSpec
from tenfold.core.storage import Storage
from tenfold.core.tensor import Tensor

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.graph.graph import Ref

PACKAGE = str(Path(__file__).parent.parent)
_TRACING_MODULES = {str(Path(__file__).with_name(name)) for name in ("symbolic.py", "trace.py", "function.py")}

ADVICE = (
    "Choose between values with tf.where, return what has to be read, and read it outside of the function; or leave "
    "tf.function away here, or set the flag RUN_FUNCTIONS_EAGERLY."
)


class _NoValues:
    """What stands where storages have their backend."""

    name = "trace"

    @property
    def reads_at_once(self) -> bool:
        """Asked by whoever is about to read."""
        refuse_reading("a tensor")

    def read_sync(self, storage: Storage) -> NoReturn:
        """Raise: there are no values."""
        refuse_reading("a tensor")

    async def read(self, storage: Storage) -> NoReturn:
        """Raise: there are no values."""
        refuse_reading("a tensor")

    def dispose_data(self, storage: Storage) -> None:
        """Nothing is to be freed."""


NO_VALUES = cast("Backend", _NoValues())


class Meaning(NamedTuple):
    """What a symbol stands for.

    Attributes:
        trace: whose symbol it is.
        ref: the output of a node in the graph of the trace.
    """

    trace: object
    ref: Ref


def symbolic_storage(meaning: Meaning, spec: TensorSpec) -> Storage:
    """A storage without values."""
    return Storage(NO_VALUES, meaning, spec.shape, spec.dtype, 0)


def make_symbol(meaning: Meaning, spec: TensorSpec) -> Tensor:
    """A tensor of given shape and dtype that stands for an output of a node."""
    return Tensor(symbolic_storage(meaning, spec), spec.shape, spec.dtype)


def is_symbol(tensor: Tensor) -> bool:
    """Whether a tensor is a symbol."""
    return tensor.storage.backend is NO_VALUES


def refuse_reading(what: str) -> NoReturn:
    """Raise an error that names what was called to read values.

    Args:
        what: whose values: `a tensor`, `the variable 'w'`.
    """
    raise TracingError(
        f"{_caller()} would read the values of {what}, but they differ from call to call of a traced function: while "
        f"it is traced there are only shapes and dtypes. {ADVICE}"
    )


def _caller() -> str:
    """The name of the outermost of Tenfold's functions through which the function being traced has come here."""
    name = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_code.co_filename not in _TRACING_MODULES:
            if "<locals>" not in frame.f_code.co_qualname:  # not what decorators put around an op
                name = frame.f_code.co_qualname
        elif name:
            break
        frame = frame.f_back
    return f"{name}()" if name.endswith("__") else f"{name.removesuffix('_')}()"


class UnknownLength:
    """A length that only running the function tells; what would compute with it raises.

    Kernels hand it on from their inputs to their outputs. Tenfold's own code takes it for different from every other
    length, as shapes are checked again at each call; the function being traced must not compare it.
    """

    __slots__ = ("_kernel",)

    def __init__(self, kernel: str) -> None:
        self._kernel = kernel

    def __repr__(self) -> str:
        return "?"

    def __hash__(self) -> int:
        return id(self)

    def refuse(self, *_: Any) -> NoReturn:
        """Raise an error that says where the length comes from."""
        raise TracingError(
            f"A length is needed that depends on values ({self._kernel} gives it), so that it differs from call to "
            f"call of a traced function. Pad to a length that is fixed, or end the function before. {ADVICE}"
        )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not sys._getframe(1).f_code.co_filename.startswith(PACKAGE):
            self.refuse()
        return False

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __abs__ = refuse
    __floordiv__ = __rfloordiv__ = __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = refuse
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __int__ = __index__ = __float__ = refuse


numbers.Integral.register(UnknownLength)  # so that checks of shapes come to the point of computing with it
