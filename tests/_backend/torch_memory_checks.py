"""Checks of `keras_interp._backend` that only torch can make; prints what passed."""

import torch
from keras import ops

from keras_interp import _backend


def check_size():
    """glibc's largest threshold."""
    assert _backend.most_bytes_at_once() == 33_554_432


def check_rule():
    """A rule of the signal alone is given no tensor, and none is kept for it."""
    given, kept = [], []

    def rule(inputs, output, upstream):
        given.append((inputs, output))
        return [upstream]

    def slope_of(operation, tensor):
        tensor = tensor.detach().requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda saved: kept.append(saved) or saved, lambda saved: saved
        ):
            total = ops.sum(operation(tensor))
        return torch.autograd.grad(total, tensor)[0]

    tensor = torch.arange(-1.0, 3.0)
    for alone in (True, False):
        operation = _backend.with_backward_rule(torch.relu, rule, signal_alone=alone)
        assert torch.equal(slope_of(operation, tensor), torch.ones(4))
        assert len(kept) == (0 if alone else 2)
    assert given[0] == ([], None)
    assert torch.equal(given[1][1], torch.relu(tensor))


for check in (check_size, check_rule):
    check()
    print(check.__name__.removeprefix("check_"))
