"""TensorFlow.js's own kernels, XNNPACK among them, beside the generated ones: the flag `WASM_KERNELS=xnnpack`."""
