"""Loop programs: in which order a kernel computes, and how wide; the layer between definitions and machine code."""
