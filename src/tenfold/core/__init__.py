"""The ground floor: tensors, kernels, the engine, autodiff and the environment.

Nothing here imports an op, a backend or a device; they register themselves with what lives here.
"""
