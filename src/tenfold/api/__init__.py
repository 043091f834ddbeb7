"""The namespaces of the public API. Written by `python -m tools.generate`; do not edit."""
