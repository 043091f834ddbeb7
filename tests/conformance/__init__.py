"""Replays recorded calls of TensorFlow.js and compares what comes back."""
