"""`tf.train`: optimizers, which change variables so that a cost goes down."""

from __future__ import annotations

from tenfold.train.adaptive import adadelta, adagrad, adam, adamax, rmsprop
from tenfold.train.gradient_descent import momentum, sgd

__all__ = ["adadelta", "adagrad", "adam", "adamax", "momentum", "rmsprop", "sgd"]
