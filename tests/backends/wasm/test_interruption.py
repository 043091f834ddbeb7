"""Ctrl-C in the middle of a real model's run, in a process of its own: it ends the run, and the backend goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.shared import REPOSITORY, model_path

PROGRAM = """
import os, signal, sys, threading
import numpy as np
import tenfold as tf

tf.set_backend("wasm").result()
tf.set_threads_count(int(sys.argv[2]))
model = tf.load_graph_model_sync(sys.argv[1])
pictures = np.random.default_rng(0).uniform(0, 1, (SAMPLES, 224, 224, 3)).astype(np.float32)
one, many = tf.tensor(pictures[:1]), tf.tensor(pictures)


def predict(x):
    with tf.tidy():
        return model.predict(x).numpy()


def bytes_in_use():
    return tf.memory().details["num_bytes_in_wasm"]


def interrupted_run(*arguments, **options):
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    print("running")
    run(*arguments, **options)


wanted, before = predict(one), bytes_in_use()
device = tf.backend().device
run, device.run = device.run, interrupted_run
try:
    predict(many)
    print("it ran to its end")
except KeyboardInterrupt:
    print("interrupted")
device.run = run
print("the same result" if np.array_equal(predict(one), wanted) else "another result")
print("no bytes lost" if bytes_in_use() == before else "bytes lost")
print("in batches, too" if np.array_equal(predict(tf.tensor(pictures[:2]))[:1], wanted) else "not in batches")
""".replace("SAMPLES", "60")


@pytest.mark.parametrize("threads", [1, 2])
def test_control_c_in_a_plan(threads: int) -> None:
    """A batch is one call into WebAssembly, of a second or more."""
    model = model_path("nsfw_mobilenet_v2_mid/model.json")
    command = [sys.executable, "-c", PROGRAM, str(model), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=REPOSITORY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["running", "interrupted", "the same result", "no bytes lost", "in batches, too"]
