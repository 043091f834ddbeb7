"""What all elementwise ops share: how their kernels are defined and how their arguments are matched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenfold.codegen.expr import Definition
from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.dtypes import DType, numpy_dtype, upcast_type
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import (
    NO_ATTRIBUTES,
    Attributes,
    GradientFunction,
    Kernel,
    TensorSpec,
    define_kernel,
    register_gradient,
)
from tenfold.core.tensor import Tensor
from tenfold.ops.broadcasting import broadcast_shapes


def elementwise_kernel(
    name: str,
    inputs: Sequence[str],
    definition: Definition,
    *,
    gradient: GradientFunction | None = None,
    saves: Sequence[str] = (),
    saves_output: bool = False,
    result: DType | None = None,
) -> Kernel:
    """Define an elementwise kernel and its gradient.

    Args:
        name: the kernel's name.
        inputs: names of its inputs, which broadcast against each other.
        definition: from expressions of the inputs (and attributes by keyword) to that of the output.
        gradient: see `core.kernel.GradientFunction`.
        saves: the inputs that the gradient wants.
        saves_output: whether it wants the output, after them.
        result: dtype of the output; that of the first input if None.
    """

    def infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
        return TensorSpec(broadcast_shapes(*(s.shape for s in specs)), result or specs[0].dtype)

    kernel = define_kernel(Kernel(name, inputs, infer, definition=definition, elementwise=True))
    if gradient is not None:
        register_gradient(name, gradient, inputs_to_save=saves, outputs_to_save=[saves_output])
    return kernel


def unary(kernel: Kernel, op: str, x: TensorLike, attributes: Attributes = NO_ATTRIBUTES) -> Tensor:
    """Run a kernel of one numeric tensor."""
    tensor = x if isinstance(x, Tensor) and x.dtype != "string" else convert_to_tensor(x, "x", op)
    return ENGINE.run_kernel(kernel.name, (tensor,), attributes)


def float_unary(kernel: Kernel, op: str, x: TensorLike, attributes: Attributes = NO_ATTRIBUTES) -> Tensor:
    """Run a kernel of one tensor that is defined for floats; int32 and bool are cast to float32."""
    tensor = convert_to_tensor(x, "x", op)
    if tensor.dtype in ("int32", "bool"):
        tensor = ENGINE.run_kernel("Cast", (tensor,), {"dtype": "float32"})
    return ENGINE.run_kernel(kernel.name, (tensor,), attributes)


def binary(kernel: Kernel, op: str, a: TensorLike, b: TensorLike, *, floats: bool = False) -> Tensor:
    """Run a kernel of two numeric tensors, cast to the wider dtype of the two and broadcast.

    `floats`: cast int32 and bool to float32, for functions that are defined for floats.
    """
    if not isinstance(a, Tensor) or a.dtype == "string":
        a = convert_to_tensor(a, "a", op)
    if not isinstance(b, Tensor) or b.dtype == "string":
        b = convert_to_tensor(b, "b", op)
    if a.dtype != b.dtype:
        a, b = match_types(a, b)
    if floats and a.dtype in ("int32", "bool"):
        a, b = cast_to(a, "float32"), cast_to(b, "float32")
    if a.shape != b.shape:
        check_broadcast(op, a, b)
    return ENGINE.run_kernel(kernel.name, (a, b))


def arithmetic(
    kernel: Kernel,
    op: str,
    a: TensorLike,
    b: TensorLike,
    names: tuple[str, str] = ("a", "b"),
    for_int32: Kernel | None = None,
) -> Tensor:
    """Like `binary`, with bools as int32, and another kernel for int32 if there is one."""
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype == b.dtype == "float32" and a.shape == b.shape:
        return ENGINE.run_kernel(kernel.name, (a, b))  # as below, which takes longer to find nothing to do
    if not isinstance(a, Tensor) or a.dtype == "string":
        a = convert_to_tensor(a, names[0], op)
    if not isinstance(b, Tensor) or b.dtype == "string":
        b = convert_to_tensor(b, names[1], op)
    dtype = a.dtype
    if dtype != b.dtype:
        a, b = match_types(a, b)
        dtype = a.dtype
    if dtype == "bool":
        a, b = cast_to(a, "int32"), cast_to(b, "int32")
        dtype = "int32"
    if a.shape != b.shape:
        check_broadcast(op, a, b)
    if for_int32 is not None and dtype == "int32":
        kernel = for_int32
    return ENGINE.run_kernel(kernel.name, (a, b))


def match_types(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors in the wider dtype of the two."""
    dtype = upcast_type(a.dtype, b.dtype)
    return cast_to(a, dtype), cast_to(b, dtype)


def cast_to(x: Tensor, dtype: DType) -> Tensor:
    """`x` in another dtype; itself if it has it."""
    return x if x.dtype == dtype else ENGINE.run_kernel("Cast", (x,), {"dtype": dtype})


def check_broadcast(op: str, *tensors: Tensor) -> None:
    """Raise if shapes do not broadcast (not in production mode).

    Raises:
        ValueError: naming the op and the shapes.
    """
    if ENV.is_true("PROD"):
        return
    try:
        broadcast_shapes(*(tensor.shape for tensor in tensors))
    except ValueError as error:
        raise ValueError(f"{op}: {error}") from None


def scalar_like(value: float, x: Tensor) -> Tensor:
    """A scalar of the dtype of `x`, for gradients."""
    return ENGINE.make_tensor(np.asarray(value, numpy_dtype(x.dtype)), (), x.dtype)
