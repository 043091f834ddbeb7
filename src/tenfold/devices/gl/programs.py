"""Compiling programs: one vertex shader for all, a fragment shader each.

A program is linked from both shaders, or is a pipeline of two programs that are linked alone. llvmpipe compiles the
vertex shader of each linked program anew when that is first drawn, 16 ms of 47 for the smallest program; the one that
all pipelines share it compiles once. Either way the handle is what `use` is called with, and `glUniform` speaks to the
fragment shader then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tenfold.core.errors import BackendError
from tenfold.devices.gl import library as gl
from tenfold.devices.gl.context import Context
from tenfold.devices.gl.drivers import Api
from tenfold.devices.gl.interface import Program
from tenfold.devices.gl.library import ffi, new_name

HEADERS: Final = {Api.ES: "#version 300 es\n", Api.DESKTOP: "#version 330 core\n"}

PRECISION: Final = """precision highp float;
precision highp int;
precision highp sampler2DArray;
precision highp isampler2DArray;
"""

VERTEX_SHADER: Final = """void main() {
    vec2 corner = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""

OUTPUTS: Final = {
    Api.ES: "",
    Api.DESKTOP: "#extension GL_ARB_separate_shader_objects : enable\nout gl_PerVertex { vec4 gl_Position; };\n",
}
"""What a vertex shader that is linked alone must declare."""


class LinkedPrograms:
    """Programs that are linked from both shaders.

    Attributes:
        use: the GL function that makes a program the current one.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._functions = context.functions
        self.use: Any = self._functions.glUseProgram
        self._vertex_shader = self._shader(gl.VERTEX_SHADER, VERTEX_SHADER)

    def compile(self, body: str, inputs: Sequence[str]) -> Program:
        """Compile a fragment shader; the program is the current one then.

        Raises:
            BackendError: with what the driver has to say.
        """
        g = self._functions
        shader = self._shader(gl.FRAGMENT_SHADER, PRECISION + body)
        handle, program = self._assemble(shader, body)
        g.glDeleteShader(shader)
        self.use(handle)
        for unit, name in enumerate(inputs):
            g.glUniform1i(g.glGetUniformLocation(program, name.encode()), unit)
        locations = [g.glGetUniformLocation(program, name) for name in (b"ints", b"floats")]
        return Program(handle, len(inputs), *locations)

    def delete(self, handle: int) -> None:
        """Give a program back."""
        self._functions.glDeleteProgram(handle)

    def _assemble(self, shader: int, source: str) -> tuple[int, int]:
        """What `use` takes, and the program that has the uniforms."""
        program = self._link([self._vertex_shader, shader], source)
        return program, program

    def _link(self, shaders: list[int], source: str, is_separable: bool = False) -> int:
        g = self._functions
        program: int = g.glCreateProgram()
        if is_separable:
            g.glProgramParameteri(program, gl.PROGRAM_SEPARABLE, gl.TRUE)
        for shader in shaders:
            g.glAttachShader(program, shader)
        g.glLinkProgram(program)
        if not _query(g.glGetProgramiv, program, gl.LINK_STATUS):
            log = _log(g.glGetProgramiv, g.glGetProgramInfoLog, program)
            g.glDeleteProgram(program)
            raise BackendError(f"A GL program could not be linked: {log}\n{source}")
        return program

    def _shader(self, kind: int, source: str) -> int:
        g = self._functions
        source = HEADERS[self._context.api] + source
        handle: int = g.glCreateShader(kind)
        text = ffi.new("char[]", source.encode())
        g.glShaderSource(handle, 1, [text], ffi.NULL)
        g.glCompileShader(handle)
        if not _query(g.glGetShaderiv, handle, gl.COMPILE_STATUS):
            log = _log(g.glGetShaderiv, g.glGetShaderInfoLog, handle)
            g.glDeleteShader(handle)
            raise BackendError(f"A GL shader could not be compiled: {log}\n{source}")
        return handle


class Pipelines(LinkedPrograms):
    """Programs that are pipelines, all with the same program for vertices; OpenGL ES 3.1 has them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.use = self._functions.glBindProgramPipeline
        declared = OUTPUTS[context.api] + VERTEX_SHADER
        shader = self._shader(gl.VERTEX_SHADER, declared)
        self._vertices = self._link([shader], declared, is_separable=True)
        self._fragments: dict[int, int] = {}

    def delete(self, handle: int) -> None:
        """Give a program back."""
        self._functions.glDeleteProgramPipelines(1, [handle])
        self._functions.glDeleteProgram(self._fragments.pop(handle))

    def _assemble(self, shader: int, source: str) -> tuple[int, int]:
        """What `use` takes, and the program that has the uniforms."""
        g = self._functions
        program = self._link([shader], source, is_separable=True)
        handle = new_name(g.glGenProgramPipelines)
        g.glUseProgramStages(handle, gl.VERTEX_SHADER_BIT, self._vertices)
        g.glUseProgramStages(handle, gl.FRAGMENT_SHADER_BIT, program)
        g.glActiveShaderProgram(handle, program)
        self._fragments[handle] = program
        return handle, program


def _query(function: Any, handle: int, what: int) -> int:
    pointer = ffi.new("int[1]")
    function(handle, what, pointer)
    return int(pointer[0])


def _log(query: Any, function: Any, handle: int) -> str:
    length = max(1, _query(query, handle, gl.INFO_LOG_LENGTH))
    text = ffi.new("char[]", length)
    function(handle, length, ffi.NULL, text)
    return str(ffi.string(text).decode(errors="replace").strip())
