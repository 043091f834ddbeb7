"""Mathematical functions of vectors, as programs: the same for every renderer and width.

What networks use all day (exp, log, tanh and their like) is computed in single precision; the rest in double, two
halves of a vector at a time, which makes it right almost everywhere at little thought. tests/codegen/test_functions.py
measures each over its whole domain and states the bounds.
"""
