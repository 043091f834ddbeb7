"""Graphs of kernels, the passes that rewrite them, and the plans that replay them."""
