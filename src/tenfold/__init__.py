"""Tenfold: TensorFlow.js's platform, in Python.

    import tenfold as tf

One tensor, autodiff and model API over interchangeable backends; see the README for how a tensor flows.
Written by `python -m tools.generate`; do not edit.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

import tenfold.backends.cpu
import tenfold.backends.wasm
import tenfold.backends.webgl  # noqa: F401
from tenfold import train
from tenfold.api import browser, fused, image, linalg, losses, math, signal, sparse, spectral, string
from tenfold.backends.wasm.binaries import (
    set_wasm_path,
    set_wasm_paths,
)
from tenfold.backends.wasm.threads import (
    get_threads_count,
    set_threads_count,
)
from tenfold.core.autodiff import (
    custom_grad,
    grad,
    grads,
    value_and_grad,
    value_and_grads,
    variable_grads,
)
from tenfold.core.backends import (
    Availability,
    backend,
    backend_scope,
    find_backend,
    find_backend_factory,
    get_backend,
    ready,
    register_backend,
    registered_backends,
    remove_backend,
    set_backend,
)
from tenfold.core.buffer import (
    TensorBuffer,
    buffer,
)
from tenfold.core.containers import (
    get_tensors_in_container,
)
from tenfold.core.dtypes import (
    sum_out_type,
    upcast_type,
)
from tenfold.core.engine import (
    Engine,
    MemoryInfo,
    engine,
    memory,
    run_kernel,
)
from tenfold.core.environment import (
    ENV,
    Environment,
    deprecation_warn,
    disable_deprecation_warnings,
    enable_debug_mode,
    enable_prod_mode,
    env,
)
from tenfold.core.errors import (
    BackendError,
    DeviceLostError,
    DisposedError,
    GradientNotFoundError,
    KernelNotFoundError,
    ModelFormatError,
    TenfoldError,
    TracingError,
    UnsupportedOpError,
)
from tenfold.core.kernel import (
    TensorInfo,
    TensorSpec,
    copy_registered_kernels,
    get_gradient,
    get_kernel,
    get_kernels_for_backend,
    register_gradient,
    register_kernel,
    unregister_gradient,
    unregister_kernel,
)
from tenfold.core.pending import (
    Pending,
)
from tenfold.core.profiler import (
    profile,
    time,
)
from tenfold.core.scopes import (
    dispose,
    keep,
    tidy,
)
from tenfold.core.tensor import (
    Tensor,
)
from tenfold.core.variables import (
    Variable,
    dispose_variables,
    variable,
)
from tenfold.graph.function import (
    ConcreteFunction,
    Function,
    function,
)
from tenfold.models.custom_ops import (
    GraphNode,
    deregister_op,
    get_registered_op,
    register_op,
)
from tenfold.models.graph_model import (
    GraphModel,
    load_graph_model,
    load_graph_model_sync,
)
from tenfold.models.precision import (
    PrecisionReport,
    check_precision,
)
from tenfold.ops.activations import (
    elu,
    hard_sigmoid,
    leaky_relu,
    log_sigmoid,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    softplus,
)
from tenfold.ops.arithmetic import (
    add,
    add_n,
    atan2,
    div,
    div_no_nan,
    floor_div,
    maximum,
    minimum,
    mod,
    mul,
    pow,
    squared_difference,
    sub,
)
from tenfold.ops.basic_math import (
    abs,
    ceil,
    clip_by_value,
    floor,
    is_finite,
    is_inf,
    is_nan,
    neg,
    round,
    sign,
    step,
)
from tenfold.ops.complex_numbers import (
    complex_ as complex,
)
from tenfold.ops.complex_numbers import (
    imag,
    real,
)
from tenfold.ops.convolution import (
    conv1d,
    conv2d,
    conv2d_transpose,
    depthwise_conv2d,
    separable_conv2d,
)
from tenfold.ops.convolution3d import (
    conv3d,
    conv3d_transpose,
)
from tenfold.ops.counting import (
    bincount,
    dense_bincount,
)
from tenfold.ops.creation import (
    fill,
    from_dlpack,
    ones,
    ones_like,
    scalar,
    tensor,
    tensor1d,
    tensor2d,
    tensor3d,
    tensor4d,
    tensor5d,
    tensor6d,
    zeros,
    zeros_like,
)
from tenfold.ops.creation import (
    print_ as print,
)
from tenfold.ops.einsum import (
    einsum,
)
from tenfold.ops.evaluation import (
    in_top_k_async,
    topk,
)
from tenfold.ops.gathering import (
    boolean_mask_async,
    gather,
    gather_nd,
)
from tenfold.ops.joining import (
    concat,
    concat1d,
    concat2d,
    concat3d,
    concat4d,
    meshgrid,
    reverse,
    reverse1d,
    reverse2d,
    reverse3d,
    reverse4d,
    split,
    stack,
    tile,
    unstack,
)
from tenfold.ops.logical import (
    bitwise_and,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    where,
    where_async,
)
from tenfold.ops.losses import (
    Reduction,
)
from tenfold.ops.matrices import (
    dot,
    euclidean_norm,
    mat_mul,
    norm,
    outer_product,
    transpose,
)
from tenfold.ops.morphology import (
    dilation2d,
)
from tenfold.ops.moving_average import (
    moving_average,
)
from tenfold.ops.normalization import (
    batch_norm,
    batch_norm2d,
    batch_norm3d,
    batch_norm4d,
    local_response_normalization,
    log_softmax,
    moments,
    softmax,
)
from tenfold.ops.padding import (
    mirror_pad,
    pad,
    pad1d,
    pad2d,
    pad3d,
    pad4d,
)
from tenfold.ops.patterns import (
    diag,
    eye,
    linspace,
    one_hot,
)
from tenfold.ops.patterns import (
    range_ as range,
)
from tenfold.ops.pooling import (
    avg_pool,
    max_pool,
    max_pool_with_argmax,
    pool,
)
from tenfold.ops.pooling3d import (
    avg_pool3d,
    max_pool3d,
)
from tenfold.ops.powers import (
    erf,
    exp,
    expm1,
    log,
    log1p,
    reciprocal,
    rsqrt,
    sqrt,
    square,
)
from tenfold.ops.ragged import (
    ragged_gather,
    ragged_range,
    ragged_tensor_to_tensor,
)
from tenfold.ops.random import (
    dropout,
    multinomial,
    rand,
    random_gamma,
    random_normal,
    random_standard_normal,
    random_uniform,
    random_uniform_int,
    truncated_normal,
)
from tenfold.ops.recurrent import (
    basic_lstm_cell,
    multi_rnn_cell,
)
from tenfold.ops.reduction import (
    all,
    any,
    arg_max,
    arg_min,
    log_sum_exp,
    logsumexp,
    max,
    mean,
    min,
    prod,
    sum,
)
from tenfold.ops.scan import (
    cumprod,
    cumsum,
)
from tenfold.ops.scattering import (
    scatter_nd,
    sparse_to_dense,
    tensor_scatter_update,
    unsorted_segment_sum,
)
from tenfold.ops.searching import (
    lower_bound,
    search_sorted,
    setdiff1d_async,
    unique,
    upper_bound,
)
from tenfold.ops.signal import (
    cosine_window,
    enclosing_power_of_two,
)
from tenfold.ops.slicing import (
    slice1d,
    slice2d,
    slice3d,
    slice4d,
    strided_slice,
)
from tenfold.ops.slicing import (
    slice_ as slice,
)
from tenfold.ops.space_batch import (
    batch_to_space_nd,
    depth_to_space,
    space_to_batch_nd,
)
from tenfold.ops.transformations import (
    broadcast_args,
    broadcast_to,
    cast,
    clone,
    ensure_shape,
    expand_dims,
    reshape,
    squeeze,
)
from tenfold.ops.trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    sin,
    sinh,
    tan,
    tanh,
)
from tenfold.ops.user_defined import (
    op,
)
from tenfold.train.adaptive import (
    AdadeltaOptimizer,
    AdagradOptimizer,
    AdamaxOptimizer,
    AdamOptimizer,
    RMSPropOptimizer,
)
from tenfold.train.gradient_descent import (
    MomentumOptimizer,
    SGDOptimizer,
)
from tenfold.train.optimizer import (
    NamedTensor,
    Optimizer,
)

if TYPE_CHECKING:
    from tenfold.api import io, serialization

__version__ = "0.1.0"

__all__ = [
    "ENV",
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "AdamaxOptimizer",
    "Availability",
    "BackendError",
    "ConcreteFunction",
    "DeviceLostError",
    "DisposedError",
    "Engine",
    "Environment",
    "Function",
    "GradientNotFoundError",
    "GraphModel",
    "GraphNode",
    "KernelNotFoundError",
    "MemoryInfo",
    "ModelFormatError",
    "MomentumOptimizer",
    "NamedTensor",
    "Optimizer",
    "Pending",
    "PrecisionReport",
    "RMSPropOptimizer",
    "Reduction",
    "SGDOptimizer",
    "TenfoldError",
    "Tensor",
    "TensorBuffer",
    "TensorInfo",
    "TensorSpec",
    "TracingError",
    "UnsupportedOpError",
    "Variable",
    "__version__",
    "abs",
    "acos",
    "acosh",
    "add",
    "add_n",
    "all",
    "any",
    "arg_max",
    "arg_min",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg_pool",
    "avg_pool3d",
    "backend",
    "backend_scope",
    "basic_lstm_cell",
    "batch_norm",
    "batch_norm2d",
    "batch_norm3d",
    "batch_norm4d",
    "batch_to_space_nd",
    "bincount",
    "bitwise_and",
    "boolean_mask_async",
    "broadcast_args",
    "broadcast_to",
    "browser",
    "buffer",
    "cast",
    "ceil",
    "check_precision",
    "clip_by_value",
    "clone",
    "complex",
    "concat",
    "concat1d",
    "concat2d",
    "concat3d",
    "concat4d",
    "conv1d",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
    "copy_registered_kernels",
    "cos",
    "cosh",
    "cosine_window",
    "cumprod",
    "cumsum",
    "custom_grad",
    "dense_bincount",
    "deprecation_warn",
    "depth_to_space",
    "depthwise_conv2d",
    "deregister_op",
    "diag",
    "dilation2d",
    "disable_deprecation_warnings",
    "dispose",
    "dispose_variables",
    "div",
    "div_no_nan",
    "dot",
    "dropout",
    "einsum",
    "elu",
    "enable_debug_mode",
    "enable_prod_mode",
    "enclosing_power_of_two",
    "engine",
    "ensure_shape",
    "env",
    "equal",
    "erf",
    "euclidean_norm",
    "exp",
    "expand_dims",
    "expm1",
    "eye",
    "fill",
    "find_backend",
    "find_backend_factory",
    "floor",
    "floor_div",
    "from_dlpack",
    "function",
    "fused",
    "gather",
    "gather_nd",
    "get_backend",
    "get_gradient",
    "get_kernel",
    "get_kernels_for_backend",
    "get_registered_op",
    "get_tensors_in_container",
    "get_threads_count",
    "grad",
    "grads",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "imag",
    "image",
    "in_top_k_async",
    "io",
    "is_finite",
    "is_inf",
    "is_nan",
    "keep",
    "leaky_relu",
    "less",
    "less_equal",
    "linalg",
    "linspace",
    "load_graph_model",
    "load_graph_model_sync",
    "local_response_normalization",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "log_sum_exp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "losses",
    "lower_bound",
    "mat_mul",
    "math",
    "max",
    "max_pool",
    "max_pool3d",
    "max_pool_with_argmax",
    "maximum",
    "mean",
    "memory",
    "meshgrid",
    "min",
    "minimum",
    "mirror_pad",
    "mod",
    "moments",
    "moving_average",
    "mul",
    "multi_rnn_cell",
    "multinomial",
    "neg",
    "norm",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "op",
    "outer_product",
    "pad",
    "pad1d",
    "pad2d",
    "pad3d",
    "pad4d",
    "pool",
    "pow",
    "prelu",
    "print",
    "prod",
    "profile",
    "ragged_gather",
    "ragged_range",
    "ragged_tensor_to_tensor",
    "rand",
    "random_gamma",
    "random_normal",
    "random_standard_normal",
    "random_uniform",
    "random_uniform_int",
    "range",
    "ready",
    "real",
    "reciprocal",
    "register_backend",
    "register_gradient",
    "register_kernel",
    "register_op",
    "registered_backends",
    "relu",
    "relu6",
    "remove_backend",
    "reshape",
    "reverse",
    "reverse1d",
    "reverse2d",
    "reverse3d",
    "reverse4d",
    "round",
    "rsqrt",
    "run_kernel",
    "scalar",
    "scatter_nd",
    "search_sorted",
    "selu",
    "separable_conv2d",
    "serialization",
    "set_backend",
    "set_threads_count",
    "set_wasm_path",
    "set_wasm_paths",
    "setdiff1d_async",
    "sigmoid",
    "sign",
    "signal",
    "sin",
    "sinh",
    "slice",
    "slice1d",
    "slice2d",
    "slice3d",
    "slice4d",
    "softmax",
    "softplus",
    "space_to_batch_nd",
    "sparse",
    "sparse_to_dense",
    "spectral",
    "split",
    "sqrt",
    "square",
    "squared_difference",
    "squeeze",
    "stack",
    "step",
    "strided_slice",
    "string",
    "sub",
    "sum",
    "sum_out_type",
    "tan",
    "tanh",
    "tensor",
    "tensor1d",
    "tensor2d",
    "tensor3d",
    "tensor4d",
    "tensor5d",
    "tensor6d",
    "tensor_scatter_update",
    "tidy",
    "tile",
    "time",
    "topk",
    "train",
    "transpose",
    "truncated_normal",
    "unique",
    "unregister_gradient",
    "unregister_kernel",
    "unsorted_segment_sum",
    "unstack",
    "upcast_type",
    "upper_bound",
    "value_and_grad",
    "value_and_grads",
    "variable",
    "variable_grads",
    "where",
    "where_async",
    "zeros",
    "zeros_like",
]


def __getattr__(name: str) -> Any:
    if name in ("serialization", "io"):
        return _import_module(f"tenfold.api.{name}")
    raise AttributeError(f"module 'tenfold' has no attribute {name!r}")
