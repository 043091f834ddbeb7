"""OpenGL ES 3.0 as a device: programs, textures, draws, reads.

`interface` says what a device offers; `native` offers it through EGL on CPython. A method is one crossing into the
driver's world: "draw this program with these textures", not a single GL call.
"""
