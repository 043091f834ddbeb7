"""Cells of recurrent networks: from an input and a state to the next state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.core.conversion import TensorLike, convert_to_tensor, convert_to_tensor_array
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import joining, operands

LSTMCell = Callable[[Tensor, Tensor, Tensor], Sequence[Tensor]]
"""From `data`, `c` and `h` to the next `c` and `h`."""


@op()
def basic_lstm_cell(
    forget_bias: TensorLike,
    lstm_kernel: TensorLike,
    lstm_bias: TensorLike,
    data: TensorLike,
    c: TensorLike,
    h: TensorLike,
) -> tuple[Tensor, Tensor]:
    """One step of a long short-term memory without peepholes.

    Args:
        forget_bias: scalar that is added to the forget gate, so that a fresh cell remembers.
        lstm_kernel: weights, [features + units, 4 units], of the input gate, the new input, the forget gate and the
            output gate.
        lstm_bias: biases, [4 units].
        data: the input, [batch, features].
        c: the cell's state, [batch, units].
        h: the cell's output of the step before, [batch, units].

    Returns:
        The next `c` and `h`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; TensorFlow's
        `tf.compat.v1.nn.rnn_cell.BasicLSTMCell`.

    Example:
        >>> import tenfold as tf
        >>> c, h = tf.basic_lstm_cell(1, tf.ones([3, 4]), tf.zeros([4]), [[0.5, 1]], [[0]], [[0]])
        >>> c.shape, h.shape
        ((1, 1), (1, 1))
    """
    name = "basic_lstm_cell"
    bias_of_forgetting = operands.real_float(forget_bias, name, "forget_bias")
    kernel = operands.real_float(lstm_kernel, name, "lstm_kernel")
    bias = operands.real_float(lstm_bias, name, "lstm_bias")
    inputs = operands.real_float(data, name, "data")
    state = operands.real_float(c, name, "c")
    output = operands.real_float(h, name, "h")
    _check_shapes(kernel, bias, inputs, state, output)
    gates = joining.concat([inputs, output], 1).mat_mul(kernel).add(bias)
    input_gate, new_input, forget_gate, output_gate = gates.split(4, 1)
    remembered = state.mul(bias_of_forgetting.add(forget_gate).sigmoid())
    new_state = input_gate.sigmoid().mul(new_input.tanh()).add(remembered)
    return new_state, new_state.tanh().mul(output_gate.sigmoid())


def _check_shapes(kernel: Tensor, bias: Tensor, data: Tensor, c: Tensor, h: Tensor) -> None:
    batch, features = data.shape if data.rank == 2 else (-1, -1)
    units = c.shape[-1] if c.rank else -1
    wanted = {
        "lstm_kernel": (kernel, (features + units, 4 * units)),
        "lstm_bias": (bias, (4 * units,)),
        "data": (data, (batch, features)),
        "c": (c, (batch, units)),
        "h": (h, (batch, units)),
    }
    for argument, (tensor, shape) in wanted.items():
        if tensor.shape != shape:
            given = ", ".join(f"{name} {list(each.shape)}" for name, (each, _) in wanted.items())
            raise ValueError(
                f"basic_lstm_cell: argument '{argument}' does not fit: data must be [batch, features], c and h [batch, "
                f"units], lstm_kernel [features + units, 4 units] and lstm_bias [4 units]; got {given}."
            )


@op()
def multi_rnn_cell(
    lstm_cells: Sequence[LSTMCell], data: TensorLike, c: Sequence[TensorLike], h: Sequence[TensorLike]
) -> tuple[list[Tensor], list[Tensor]]:
    """One step of several cells, each of which gets the output of the one before it as its input.

    Args:
        lstm_cells: the cells, functions from `data`, `c` and `h` to the next `c` and `h`.
        data: the input of the first, [batch, features].
        c: the states of the cells, [batch, units] each.
        h: the outputs of the cells in the step before, [batch, units] each.

    Returns:
        The next states, and the next outputs.

    Raises:
        TypeError: if an argument is no tensor-like, or no list.
        ValueError: if there are not as many states and outputs as cells.

    Source: TensorFlow's `tf.compat.v1.nn.rnn_cell.MultiRNNCell`.

    Example:
        >>> import tenfold as tf
        >>> def cell(data, c, h):
        ...     return c.add(data), h.sub(data)
        >>> c, h = tf.multi_rnn_cell([cell, cell], [[1]], [[[0]], [[0]]], [[[5]], [[5]]])
        >>> [each.array_sync() for each in h]
        [[[4.0]], [[1.0]]]
    """
    name = "multi_rnn_cell"
    current = convert_to_tensor(data, "data", name)
    states = convert_to_tensor_array(c, "c", name)
    outputs = convert_to_tensor_array(h, "h", name)
    if not len(lstm_cells) == len(states) == len(outputs):
        raise ValueError(
            f"{name}: arguments 'c' and 'h' must have an entry for each of the {len(lstm_cells)} 'lstm_cells', got "
            f"{len(states)} and {len(outputs)}."
        )
    new_states, new_outputs = [], []
    for cell, state, output in zip(lstm_cells, states, outputs, strict=True):
        new_state, current = cell(current, state, output)
        new_states.append(new_state)
        new_outputs.append(current)
    return new_states, new_outputs
