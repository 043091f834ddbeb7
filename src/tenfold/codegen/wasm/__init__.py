"""Loop programs as WebAssembly: an assembler, and the renderer that turns programs into functions of a module."""
