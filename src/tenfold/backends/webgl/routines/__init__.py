"""Shaders written by hand, where they are measurably faster than what definitions render to."""
