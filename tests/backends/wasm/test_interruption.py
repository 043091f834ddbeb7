"""Ctrl-C, in a process of its own: it ends a real model's run, or waiting for another thread; the backend goes on."""

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


WAITING = """
import os, signal, threading, time
import tenfold as tf


def compute_elsewhere(begun):
    with tf.backend().lock:
        begun.set()
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)


tf.set_backend("wasm").result()
x = tf.tensor([1.0, 2.0])
for _ in range(40):
    begun = threading.Event()
    other = threading.Thread(target=compute_elsewhere, args=[begun])
    other.start()
    begun.wait()
    try:
        x.add(x).dispose()
        time.sleep(1)
        print("no interruption")
    except KeyboardInterrupt:
        pass
    other.join()
sums = []
last = threading.Thread(target=lambda: sums.append(x.add(x).array_sync()), daemon=True)
last.start()
last.join(10)
print(sums)
"""


def test_control_c_while_another_thread_computes() -> None:
    """The backend's lock is given back, so that other threads go on."""
    done = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[[2.0, 4.0]]\n")
