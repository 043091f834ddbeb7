"""Whether 16-bit floats hold a model, found out before it runs on a device that has no others.

Such a device stores every weight and every result of a kernel in 16 bits. Here a model runs op by op in 32 bits on the
active backend, and all values on the way are looked at; then it runs once more with each of them rounded. That is
cautious: plans store fewer values, since they compute several ops at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from tenfold.core.backends import backend as active_backend
from tenfold.core.engine import INTERCEPTORS, KernelCall, Outputs, Proceed, engine
from tenfold.core.errors import BackendError
from tenfold.core.kernel import TensorSpec
from tenfold.core.scopes import tidy
from tenfold.core.tensor import Tensor

if TYPE_CHECKING:
    from tenfold.graph.graph import Node
    from tenfold.graph.tensor_lists import Value
    from tenfold.models.graph_model import GraphModel, Inputs

LARGEST: Final = 65504.0
"""The largest 16-bit float that is finite."""

SMALLEST: Final = 2.0**-24
"""The smallest one above zero, 5.96e-8."""

ROUNDING: Final = 2.0**-11
"""How far a number may be from the nearest 16-bit float, relative to itself, away from the ends of the range."""

MOST_ERROR: Final = 0.1
"""How far outputs may be off, relative to their largest value, unless the caller says how far."""

SMALLEST_SCALE: Final = 1e-3
"""Outputs that are smaller than this are compared absolutely."""

Kind = Literal["input", "weight", "activation"]

_FLOATS: Final = ("float32", "complex64")

_SAME_VALUES: Final = frozenset(("ExpandDims", "Identity", "If", "Reshape", "Squeeze", "While"))
"""Nodes that give what others computed, which has been looked at there."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The magnitudes of an input, a weight, or all results of a node.

    Attributes:
        name: of the node or weight; with `:1` and so on for further outputs of a node.
        kind: what it is.
        kernel: the kernel that computes it, or "" where none does.
        count: how many numbers were looked at, in all runs.
        nonzero: how many of them are finite and not zero.
        smallest: the smallest magnitude of those, or None if there are none.
        largest: the largest one, or None.
        too_large: how many are beyond `LARGEST`: they become infinite.
        too_small: how many are below `SMALLEST`: they become zero, or as large as that.
        infinite: how many are infinite in 32 bits already.
        nan: how many are NaN in 32 bits already.
    """

    name: str
    kind: Kind
    kernel: str
    count: int
    nonzero: int
    smallest: float | None
    largest: float | None
    too_large: int
    too_small: int
    infinite: int
    nan: int

    @property
    def fits(self) -> bool:
        """Whether every value is zero, not finite, or in the range of 16-bit floats."""
        return not self.too_large and not self.too_small

    @property
    def lost(self) -> float:
        """The share of what is not zero that is too small, from 0 to 1."""
        return self.too_small / self.nonzero if self.nonzero else 0.0

    @property
    def vanishes(self) -> bool:
        """Whether losing what is too small does harm: it is more, beside the largest value, than rounding this one."""
        return bool(self.too_small) and self.largest is not None and self.largest * ROUNDING < SMALLEST

    @property
    def severity(self) -> tuple[float, ...]:
        """Sorts the worst last: NaN, then too large, then vanishing, then lost, then near the end of the range."""
        size = max(self.count, 1)
        return (self.nan / size, self.too_large / size, self.vanishes * self.lost, self.lost, self.largest or 0.0)


@dataclass(frozen=True, slots=True)
class OutputError:
    """How far an output is off where all values are rounded to 16 bits.

    Attributes:
        name: of the output.
        error: the largest difference over the largest value, in the worst of all runs; infinite where other values are
            NaN or infinite than in 32 bits. None where there is nothing to compare: the output is not of floats, or
            its shape differs, since it depends on values.
    """

    name: str
    error: float | None


@dataclass(frozen=True, slots=True)
class PrecisionReport:
    """What `check_precision` found.

    Attributes:
        values: inputs, weights and activations, the worst first.
        outputs: how far each output is off; empty if nothing was rounded.
        runs: with how many inputs the model ran.
        most_error: how far outputs may be off.
    """

    values: tuple[ValueRange, ...]
    outputs: tuple[OutputError, ...]
    runs: int
    most_error: float = MOST_ERROR

    @property
    def outside(self) -> tuple[ValueRange, ...]:
        """What leaves the range of 16-bit floats, the worst first."""
        return tuple(value for value in self.values if not value.fits)

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences that say why 16-bit floats do not hold the model; none if they do."""
        found = [
            f"{value.name} has {value.too_large} of {value.count} values beyond {LARGEST:.0f}: infinite in 16 bits."
            for value in self.values
            if value.too_large
        ]
        found += [
            f"{value.name} has {value.too_small} of {value.nonzero} values below 5.96e-8: zero in 16 bits, and the "
            f"largest is only {value.largest:.3g}."
            for value in self.values
            if value.vanishes
        ]
        for output in self.outputs:
            if output.error == float("inf"):
                found.append(
                    f"The output {output.name} is NaN or infinite in 16 bits where it is not in 32, or inversely."
                )
            elif output.error is not None and output.error > self.most_error:
                found.append(f"The output {output.name} is off by {output.error:.2g} of its largest value in 16 bits.")
        return tuple(found)

    @property
    def fits(self) -> bool:
        """Whether 16-bit floats hold the model.

        They do if nothing becomes infinite, what becomes zero is small beside the values around it, and no output is
        off by more than `most_error`.
        """
        return not self.problems


def check_precision(
    model: GraphModel,
    *inputs: Inputs,
    rounding: bool = True,
    most_error: float = MOST_ERROR,
    on_progress: Callable[[float], None] | None = None,
) -> PrecisionReport:
    """Find which weights and activations of a model leave the range of 16-bit floats, 5.96e-8 to 65504.

    The model runs op by op on the active backend; "cpu" is the fastest for that, as nothing has to be read back. The
    result is as good as the inputs are typical. Outputs that are chosen or sorted by a score may jump when it is
    rounded.

    Args:
        model: a loaded model.
        inputs: what `predict` takes, once or several times; the model runs on each.
        rounding: whether to run the model a second time with every value rounded, and compare the outputs.
        most_error: how far an output may be off then, relative to its largest value, for the model to fit.
        on_progress: called with the fraction that is done.

    Returns:
        The magnitudes of every input, weight and activation, and how far the outputs are off.

    Raises:
        TypeError: if there are no inputs.
        BackendError: if the active backend computes in 16 bits.

    Example:
        >>> import tenfold as tf
        >>> nodes = [
        ...     {"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}},
        ...     {"name": "energy", "op": "Square", "input": ["x"]},
        ...     {"name": "level", "op": "Log1p", "input": ["energy"]},
        ... ]
        >>> model = tf.load_graph_model_sync({"modelTopology": {"node": nodes}})
        >>> report = tf.check_precision(model, tf.tensor([0.5, 20.0, 300.0]))
        >>> report.fits
        False
        >>> report.outside[0].name, report.outside[0].largest
        ('energy', 90000.0)
    """
    if not inputs:
        raise TypeError("check_precision: give inputs for the model, as predict takes them; none were given.")
    if active_backend().float_precision() < 32:
        raise BackendError(
            f"check_precision: the active backend {active_backend().name!r} computes in 16 bits, which hides what is "
            'lost. Run it on another one: with tf.backend_scope("cpu"): ...'
        )
    survey = _Survey()
    names = model.output_nodes
    errors: dict[str, float | None] = {}
    for number, given in enumerate(inputs):
        with tidy():
            exact = [tensor.numpy() for tensor in model.observe(given, survey.observe)]
            if rounding:
                with _all_rounded():
                    results = model.execute(given)
                rounded = [_halves(t.numpy()) for t in (results if isinstance(results, list) else [results])]
                for name, got, want in zip(names, rounded, exact, strict=True):
                    errors[name] = _worst(errors.get(name), _error(got, want))
        if on_progress is not None:
            on_progress((number + 1) / len(inputs))
    for name, tensor in _weights(model, survey.input_specs).items():
        survey.add(name, "weight", "", tensor)
    ranges = sorted(survey.ranges(), key=lambda value: value.severity, reverse=True)
    outputs = tuple(OutputError(*item) for item in errors.items())
    return PrecisionReport(tuple(ranges), outputs, len(inputs), most_error)


def _weights(model: GraphModel, specs: dict[str, TensorSpec]) -> dict[str, Tensor]:
    """The weights as the files have them, and those that plans fold them into, under names of their own."""
    from tenfold.graph.passes import optimise, simplify
    from tenfold.graph.specialise import specialise

    planned = optimise(simplify(specialise(model.graph, specs))).graph.constants
    return {**model.weights, **{name: tensor for name, tensor in planned.items() if name not in model.nodes}}


# --- looking at values -------------------------------------------------------------------------------------


class _Tally:
    """What is known of the values of one name so far."""

    __slots__ = ("count", "infinite", "largest", "nan", "nonzero", "smallest", "too_large", "too_small")

    def __init__(self) -> None:
        self.count = self.nonzero = self.too_large = self.too_small = self.infinite = self.nan = 0
        self.smallest, self.largest = float("inf"), 0.0

    def add(self, values: np.ndarray) -> None:
        """Look at further values."""
        magnitudes = np.abs(_real(values))
        present = magnitudes > 0
        present &= np.isfinite(magnitudes)
        self.count += magnitudes.size
        self.nonzero += int(np.count_nonzero(present))
        self.nan += int(np.count_nonzero(np.isnan(magnitudes)))
        self.infinite += int(np.count_nonzero(np.isinf(magnitudes)))
        self.too_large += int(np.count_nonzero(present & (magnitudes > LARGEST)))
        self.too_small += int(np.count_nonzero(present & (magnitudes < SMALLEST)))
        self.smallest = min(self.smallest, float(np.min(magnitudes, where=present, initial=np.inf)))
        self.largest = max(self.largest, float(np.max(magnitudes, where=present, initial=0)))

    def range(self, name: str, kind: Kind, kernel: str) -> ValueRange:
        """All of that, under a name."""
        return ValueRange(
            name,
            kind,
            kernel,
            count=self.count,
            nonzero=self.nonzero,
            smallest=self.smallest if self.nonzero else None,
            largest=self.largest if self.nonzero else None,
            too_large=self.too_large,
            too_small=self.too_small,
            infinite=self.infinite,
            nan=self.nan,
        )


class _Survey:
    """Looks at all values of a model, run by run.

    Attributes:
        input_specs: shape and dtype of the model's inputs in the last run.
    """

    def __init__(self) -> None:
        self.input_specs: dict[str, TensorSpec] = {}
        self._tallies: dict[tuple[str, Kind, str], _Tally] = {}

    def observe(self, node: Node, values: Sequence[Value]) -> None:
        """Look at the results of a node."""
        if node.op in _SAME_VALUES:
            return
        kind: Kind = "input" if node.op == "Placeholder" else "activation"
        for index, value in enumerate(values):
            if not isinstance(value, Tensor):
                continue
            if kind == "input":
                self.input_specs[node.name] = TensorSpec(value.shape, value.dtype)
            name = f"{node.name}:{index}" if index else node.name
            self.add(name, kind, node.op if kind == "activation" else "", value)

    def add(self, name: str, kind: Kind, kernel: str, tensor: Tensor) -> None:
        """Look at a tensor; integers and text are not stored as floats."""
        if tensor.dtype in _FLOATS and tensor.size:
            self._tallies.setdefault((name, kind, kernel), _Tally()).add(tensor.numpy())

    def ranges(self) -> Iterator[ValueRange]:
        """What was seen."""
        for (name, kind, kernel), tally in self._tallies.items():
            yield tally.range(name, kind, kernel)


def _real(values: np.ndarray) -> np.ndarray:
    """Complex numbers as their parts."""
    return np.ascontiguousarray(values).view(np.float32) if values.dtype == np.complex64 else values


# --- rounding ----------------------------------------------------------------------------------------------


@contextmanager
def _all_rounded() -> Iterator[None]:
    """Let every kernel read its inputs, weights and results of others alike, rounded to 16 bits."""
    token = INTERCEPTORS.set((*INTERCEPTORS.get(), _with_rounded_inputs))
    try:
        yield
    finally:
        INTERCEPTORS.reset(token)


def _with_rounded_inputs(call: KernelCall, proceed: Proceed) -> Outputs:
    return proceed(call._replace(inputs=tuple(None if x is None else _rounded(x) for x in call.inputs)))


def _rounded(tensor: Tensor) -> Tensor:
    if tensor.dtype not in _FLOATS:
        return tensor
    return engine().make_tensor(_halves(tensor.numpy()), tensor.shape, tensor.dtype)


def _halves(values: np.ndarray) -> np.ndarray:
    """Floats as they are after having been stored in 16 bits; other values as they are."""
    if values.dtype not in (np.float32, np.complex64):
        return values
    with np.errstate(over="ignore"):
        return _real(values).astype(np.float16).astype(np.float32).view(values.dtype).reshape(values.shape)


def _error(got: np.ndarray, want: np.ndarray) -> float | None:
    """The largest difference over the scale; see `OutputError`."""
    if want.dtype not in (np.float32, np.complex64) or got.shape != want.shape:
        return None
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)) or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return float("inf")
    scale = max(float(np.max(np.abs(want[finite]), initial=0)), SMALLEST_SCALE)
    return float(np.max(np.abs(got[finite] - want[finite]), initial=0)) / scale


def _worst(one: float | None, other: float | None) -> float | None:
    """The larger one of those that are known."""
    known = [error for error in (one, other) if error is not None]
    return max(known, default=None)
