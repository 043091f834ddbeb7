"""WebAssembly as a device: modules of generated code over one linear memory, on one thread or several.

`interface` says what a device offers; `native` offers it through wasmtime on CPython. A method is one crossing into
the engine's world.
"""
