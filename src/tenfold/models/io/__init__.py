"""The files of models: from an address or object to `ModelArtifacts` and back, in TensorFlow.js's format."""
