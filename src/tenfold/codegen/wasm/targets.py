"""The flavours of WebAssembly: for each engine, with relaxed SIMD and without."""

from __future__ import annotations

from typing import Final

from tenfold.codegen.loops.program import Target
from tenfold.codegen.wasm.renderer import WIDTH

ENGINES: Final = ("wasmtime", "v8")


def target(engine: str, *, relaxed: bool) -> Target:
    """The target for an engine.

    Args:
        engine: `wasmtime`, or `v8` for that and any other.
        relaxed: whether multiply-adds may be fused. Without that, results are the same on every machine.
    """
    if engine not in ENGINES:
        raise ValueError(f"There is no flavour for the engine {engine!r}; use one of {', '.join(ENGINES)}.")
    name = f"{engine}-{'relaxed' if relaxed else 'plain'}"
    return Target(name, width=WIDTH, fused=relaxed, ordered=engine == "wasmtime")
