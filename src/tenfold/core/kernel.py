"""Kernels: what each one computes, how it differentiates, and who implements it for which backend.

A `Kernel` is the backend-independent description that an op family registers: names of inputs, shape rule,
definition as a loop expression, gradient. A `KernelImplementation` is a function of one backend. This module
is the one registry of both; it knows neither ops nor backends.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from tenfold.core.errors import GradientNotFoundError, KernelNotFoundError
from tenfold.core.storage import Storage

if TYPE_CHECKING:
    from tenfold.backends.base import Backend
    from tenfold.core.dtypes import DType
    from tenfold.core.storage import Shape
    from tenfold.core.tensor import Tensor

Attributes = Mapping[str, Any]
NO_ATTRIBUTES: Attributes = {}


class TensorSpec(NamedTuple):
    """Shape and dtype of a tensor that need not exist."""

    shape: Shape
    dtype: DType


class TensorInfo(NamedTuple):
    """What a kernel returns: values on a backend, seen in a shape."""

    storage: Storage
    shape: Shape
    dtype: DType


Operand: TypeAlias = "Tensor | TensorInfo | Storage"
"""What a kernel receives: something with `storage`, `shape` and `dtype`."""

KernelResult = TensorInfo | Storage | Sequence[TensorInfo]
"""An output, several of them, or the storage of an output that is seen in the shape it was made with."""

Specs = TensorSpec | Sequence[TensorSpec]


def as_infos(result: KernelResult) -> Sequence[TensorInfo]:
    """A kernel's result as a sequence, whether it has one output or several."""
    if isinstance(result, Storage):
        return (TensorInfo(result, result.shape, result.dtype),)
    return (result,) if isinstance(result, TensorInfo) else result


class KernelFunction(Protocol):
    """A backend's implementation of a kernel.

    `inputs` are in the order of the kernel's declared names, None where an optional one is absent; they
    live on `backend`. The result's storages belong to `backend` and are new, or are those of an input.
    """

    def __call__(self, inputs: Sequence[Any], attributes: Attributes, backend: Any, /) -> KernelResult: ...


InferFunction = Callable[[Sequence[Any], Attributes], Specs]
"""`infer(specs, attributes)`: the specs of a kernel's outputs from those of its inputs, running nothing."""

GradientFunction = Callable[[Any, "list[Tensor]", Attributes], Any]
"""`gradient(dy, saved, attributes)`: one entry per input of the kernel, in order: a function of no arguments
that makes the gradient, or None where there is none to give. A mapping by input name serves as well."""


class Gradient:
    """How a kernel differentiates.

    Attributes:
        function: see `GradientFunction`; `dy` is a tensor, or a list of them for several outputs.
        inputs_to_save: names of the inputs that `function` wants to see in `saved`, first.
        outputs_to_save: which outputs it wants after them, one flag an output.
        save_all_inputs: save every input, for kernels that take a list of tensors.
    """

    __slots__ = ("function", "inputs_to_save", "outputs_to_save", "save_all_inputs")

    def __init__(
        self,
        function: GradientFunction,
        inputs_to_save: Sequence[str] = (),
        outputs_to_save: Sequence[bool] = (),
        save_all_inputs: bool = False,
    ) -> None:
        self.function = function
        self.inputs_to_save = tuple(inputs_to_save)
        self.outputs_to_save = tuple(outputs_to_save)
        self.save_all_inputs = save_all_inputs


class Kernel:
    """The rules of one kernel, the same for every backend.

    Attributes:
        name: TensorFlow's name for it.
        inputs: names of the tensor inputs in order; a trailing `*name` takes any number.
        infer: the shape and dtype rule.
        definition: what one output element is, as a function of expressions (see `codegen.expr`), or None
            where only routines implement the kernel.
        elementwise: whether each output element depends on the inputs' elements at the same (broadcast)
            position only; such kernels fuse into epilogues.
        pure: whether equal inputs give equal outputs, so that a plan may compute it once.
        data_dependent: whether the output's shape depends on the values of the inputs; `infer` then gives -1
            for the lengths that only running the kernel tells.
    """

    __slots__ = ("data_dependent", "definition", "elementwise", "infer", "inputs", "name", "pure")

    def __init__(
        self,
        name: str,
        inputs: Sequence[str],
        infer: InferFunction,
        *,
        definition: Any = None,
        elementwise: bool = False,
        pure: bool = True,
        data_dependent: bool = False,
    ) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.infer = infer
        self.definition = definition
        self.elementwise = elementwise
        self.pure = pure
        self.data_dependent = data_dependent

    def __repr__(self) -> str:
        return f"<Kernel {self.name}({', '.join(self.inputs)})>"


class KernelImplementation(NamedTuple):
    """A backend's function for a kernel, with what runs when the backend comes and goes."""

    kernel_name: str
    backend_name: str
    kernel_func: KernelFunction
    setup_func: Callable[[Backend], None] | None = None
    dispose_func: Callable[[Backend], None] | None = None


_kernels: dict[str, Kernel] = {}
_own: frozenset[str] = frozenset()
_gradients: dict[str, Gradient] = {}
implementations: dict[tuple[str, str], KernelImplementation] = {}
"""The implementations by (kernel name, backend name); change them through the functions below."""

_renderers: dict[str, Callable[[Kernel], KernelFunction | None]] = {}
_change_listeners: list[Callable[[], None]] = []


def on_change(listener: Callable[[], None]) -> None:
    """Call `listener` whenever an implementation comes or goes, so that it can drop what it cached."""
    _change_listeners.append(listener)


def _changed() -> None:
    for listener in _change_listeners:
        listener()


# --- descriptions ------------------------------------------------------------------------------------------


def define_kernel(kernel: Kernel) -> Kernel:
    """File the description of a kernel under its name."""
    if kernel.name in _kernels:
        raise ValueError(f"The kernel {kernel.name!r} is already defined.")
    _kernels[kernel.name] = kernel
    return kernel


def find_kernel_definition(name: str) -> Kernel | None:
    """The description of a kernel, or None if no op family defines one of that name."""
    return _kernels.get(name)


def own_kernels_are_defined() -> None:
    """Say that the kernels defined until now are this package's own, and that those to come are its users'."""
    global _own
    _own = frozenset(_kernels)


def is_own_kernel(name: str) -> bool:
    """Whether a kernel is one of this package's own, so that its description changes with the package alone."""
    return name in _own


def defined_kernels() -> dict[str, Kernel]:
    """All descriptions by name."""
    return dict(_kernels)


# --- gradients ---------------------------------------------------------------------------------------------


def register_gradient(
    kernel_name: str,
    grad_func: GradientFunction,
    *,
    inputs_to_save: Sequence[str] = (),
    outputs_to_save: Sequence[bool] = (),
    save_all_inputs: bool = False,
) -> None:
    """Register the gradient of a kernel for every backend; a later one for the same kernel replaces it, with a warning.

    Args:
        kernel_name: the kernel's name.
        grad_func: called with `(dy, saved, attributes)`; returns one entry per input of the kernel, each a
            function without arguments that gives the gradient of the input's shape, or None. A mapping
            from input names serves as well.
        inputs_to_save: names of inputs to hand over in `saved`.
        outputs_to_save: flags of outputs to hand over after them.
        save_all_inputs: hand over all inputs (for kernels that take a list).

    Example:
        >>> import tenfold as tf
        >>> tf.register_gradient("Double", lambda dy, saved, attributes: [lambda: dy * 2])
        >>> tf.unregister_gradient("Double")
    """
    if kernel_name in _gradients:
        warnings.warn(f"Overriding the gradient of {kernel_name!r}.", stacklevel=2)
    _gradients[kernel_name] = Gradient(grad_func, inputs_to_save, outputs_to_save, save_all_inputs)


def unregister_gradient(kernel_name: str) -> None:
    """Forget the gradient of a kernel.

    Raises:
        GradientNotFoundError: if none is registered.
    """
    if kernel_name not in _gradients:
        raise GradientNotFoundError(f"The gradient of {kernel_name!r} is not registered.")
    del _gradients[kernel_name]


def get_gradient(kernel_name: str) -> Gradient | None:
    """The registered gradient of a kernel, or None.

    Example:
        >>> import tenfold as tf
        >>> tf.get_gradient("Nothing") is None
        True
    """
    return _gradients.get(kernel_name)


# --- implementations ---------------------------------------------------------------------------------------


def register_kernel(
    kernel_name: str,
    backend_name: str,
    kernel_func: KernelFunction,
    *,
    setup_func: Callable[[Backend], None] | None = None,
    dispose_func: Callable[[Backend], None] | None = None,
) -> None:
    """Register a backend's implementation of a kernel; a later one for the same pair replaces it, with a warning.

    Args:
        kernel_name: TensorFlow's name of the kernel, or one of your own.
        backend_name: the name under which the backend is registered.
        kernel_func: see `KernelFunction`.
        setup_func: runs with the backend when it is initialised.
        dispose_func: runs with the backend when it is removed.

    Example:
        >>> import tenfold as tf
        >>> def double(inputs, attributes, backend):
        ...     values = backend.read_sync(inputs[0].storage) * 2
        ...     return tf.TensorInfo(backend.write(values, inputs[0].shape, "float32"), inputs[0].shape, "float32")
        >>> tf.register_kernel("Double", "cpu", double)
        >>> tf.run_kernel("Double", [tf.tensor([1.0, 2.0])]).array_sync()
        [2.0, 4.0]
        >>> tf.unregister_kernel("Double", "cpu")
    """
    key = kernel_name, backend_name
    if key in implementations:
        warnings.warn(f"Overriding the kernel {kernel_name!r} of the backend {backend_name!r}.", stacklevel=2)
    implementations[key] = KernelImplementation(kernel_name, backend_name, kernel_func, setup_func, dispose_func)
    _changed()


def unregister_kernel(kernel_name: str, backend_name: str) -> None:
    """Forget a backend's implementation of a kernel.

    Raises:
        KernelNotFoundError: if there is none.
    """
    if (kernel_name, backend_name) not in implementations:
        raise KernelNotFoundError(f"The kernel {kernel_name!r} for the backend {backend_name!r} is not registered.")
    del implementations[kernel_name, backend_name]
    _changed()


def register_renderer(backend_name: str, render: Callable[[Kernel], KernelFunction | None]) -> None:
    """Let a generating backend make implementations from definitions.

    `render` is asked once for each kernel that has no registered implementation; None means that it
    cannot make one.
    """
    _renderers[backend_name] = render


def get_kernel(kernel_name: str, backend_name: str) -> KernelImplementation | None:
    """A backend's implementation of a kernel, rendered from the definition if need be, or None.

    Example:
        >>> import tenfold as tf
        >>> tf.get_kernel("Add", "cpu").kernel_name
        'Add'
    """
    implementation = implementations.get((kernel_name, backend_name))
    if implementation is not None:
        return implementation
    kernel, render = _kernels.get(kernel_name), _renderers.get(backend_name)
    if kernel is None or render is None:
        return None
    function = render(kernel)
    if function is None:
        return None
    implementation = KernelImplementation(kernel_name, backend_name, function)
    implementations[kernel_name, backend_name] = implementation
    return implementation


def get_kernels_for_backend(backend_name: str) -> list[KernelImplementation]:
    """All implementations of a backend, those that it renders from definitions included.

    Example:
        >>> import tenfold as tf
        >>> "Conv2D" in {found.kernel_name for found in tf.get_kernels_for_backend("cpu")}
        True
    """
    if backend_name in _renderers:
        for name in _kernels:
            get_kernel(name, backend_name)
    return [found for (_, backend), found in implementations.items() if backend == backend_name]


def copy_registered_kernels(registered_backend_name: str, new_backend_name: str) -> None:
    """Register every implementation of one backend for another name too.

    Useful for a second instance of a backend under a name of its own.

    Args:
        registered_backend_name: whose implementations to take.
        new_backend_name: the name under which they are registered too.

    Example:
        >>> import tenfold as tf
        >>> tf.copy_registered_kernels("cpu", "copy_of_cpu")
        >>> for found in tf.get_kernels_for_backend("copy_of_cpu"):
        ...     tf.unregister_kernel(found.kernel_name, "copy_of_cpu")
    """
    for found in get_kernels_for_backend(registered_backend_name):
        register_kernel(
            found.kernel_name,
            new_backend_name,
            found.kernel_func,
            setup_func=found.setup_func,
            dispose_func=found.dispose_func,
        )
