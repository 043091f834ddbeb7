"""What the functions take that are called of TensorFlow.js's WebAssembly, version 4."""

from __future__ import annotations

from typing import Final

_TYPES: Final = {"i": "i32", "f": "f32"}

_BINARY: Final = "iiiiiiii"
_WINDOWED: Final = "i" * 21 + "fi"

_LETTERS: Final = {
    "__wasm_call_ctors": "",
    "init": "",
    "dispose": "",
    "malloc": "i",
    "register_tensor": "iii",
    "dispose_data": "i",
    "Add": _BINARY,
    "AvgPool": "i" * 14,
    "Elu": "iii",
    "FusedConv2D": _WINDOWED,
    "FusedDepthwiseConv2D": _WINDOWED,
    "LeakyRelu": "iifi",
    "MaxPool": "i" * 17,
    "Multiply": _BINARY,
    "Prelu": "iii",
    "RealDiv": _BINARY,
    "Relu": "iii",
    "ResizeBilinear": "i" * 10,
    "Sigmoid": "ii",
    "Softmax": "iiii",
    "SquaredDifference": _BINARY,
    "Sub": _BINARY,
    "_FusedMatMul": "i" * 11 + "fi",
}

EXPORTS: Final = {name: tuple(_TYPES[letter] for letter in letters) for name, letters in _LETTERS.items()}
"""The types of the parameters, by name of the function."""
