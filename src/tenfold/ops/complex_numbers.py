"""Complex tensors of real ones, and their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.codegen.expr import function
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops.elementwise import cast_to

# --- complex -----------------------------------------------------------------------------------------------


def _complex_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    real, imag = specs
    if real.shape != imag.shape:
        raise ValueError(
            f"complex: 'real' and 'imag' must have one shape, got {list(real.shape)} and {list(imag.shape)}."
        )
    return TensorSpec(real.shape, "complex64")


COMPLEX = define_kernel(
    Kernel("Complex", ("real", "imag"), _complex_infer, definition=function("complex"), elementwise=True)
)


def _complex_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> list[Callable[[], Tensor]]:
    return [lambda: real(dy), lambda: imag(dy)]


register_gradient("Complex", _complex_gradient)


@op()
def complex_(real: TensorLike, imag: TensorLike) -> Tensor:
    """Make complex numbers of their real and imaginary parts.

    Args:
        real: tensor of any real dtype.
        imag: tensor of the same shape.

    Returns:
        complex64 tensor of that shape.

    Raises:
        TypeError: if an argument is no numeric tensor-like.
        ValueError: if the shapes differ.

    Source: TensorFlow's `Complex`.

    Example:
        >>> import tenfold as tf
        >>> tf.complex([1, 2], [3, 4]).array_sync()
        [(1+3j), (2+4j)]
    """
    parts = [convert_to_tensor(real, "real", "complex"), convert_to_tensor(imag, "imag", "complex")]
    for name, part in zip(("real", "imag"), parts, strict=True):
        if part.dtype == "complex64":
            raise TypeError(f"complex: argument '{name}' must be real, got a complex64 tensor.")
    _complex_infer([TensorSpec(part.shape, part.dtype) for part in parts], {})
    return ENGINE.run_kernel(COMPLEX.name, [cast_to(part, "float32") for part in parts])


# --- real, imag --------------------------------------------------------------------------------------------


def _part_infer(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return TensorSpec(specs[0].shape, "float32")


REAL = define_kernel(Kernel("Real", ("input",), _part_infer, definition=function("real"), elementwise=True))
IMAG = define_kernel(Kernel("Imag", ("input",), _part_infer, definition=function("imag"), elementwise=True))


def _real_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> list[Callable[[], Tensor]]:
    return [lambda: complex_(dy, dy.zeros_like())]


def _imag_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> list[Callable[[], Tensor]]:
    return [lambda: complex_(dy.zeros_like(), dy)]


register_gradient("Real", _real_gradient)
register_gradient("Imag", _imag_gradient)


@op()
def real(input: TensorLike) -> Tensor:
    """The real part of complex numbers; real ones are their own.

    Args:
        input: numeric tensor.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if it is no numeric tensor-like.

    Source: TensorFlow's `Real`.

    Example:
        >>> import tenfold as tf
        >>> tf.real(tf.complex([1, 2], [3, 4])).array_sync()
        [1.0, 2.0]
    """
    return ENGINE.run_kernel(REAL.name, (_as_complex(input, "real"),))


@op()
def imag(input: TensorLike) -> Tensor:
    """The imaginary part of complex numbers; that of real ones is 0.

    Args:
        input: numeric tensor.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if it is no numeric tensor-like.

    Source: TensorFlow's `Imag`.

    Example:
        >>> import tenfold as tf
        >>> tf.imag(tf.complex([1, 2], [3, 4])).array_sync()
        [3.0, 4.0]
    """
    return ENGINE.run_kernel(IMAG.name, (_as_complex(input, "imag"),))


def _as_complex(value: TensorLike, name: str) -> Tensor:
    return cast_to(convert_to_tensor(value, "input", name), "complex64")
