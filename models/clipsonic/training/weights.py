"""The weights of a network in training, in one piece of memory: a step works on vectors, not on hundreds of tensors.

In bfloat16 a copy of the network is called, whose weights are cast once a step. Values, average and optimiser stay
float32.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

_ALIGNMENT = 32  # elements: every parameter begins at a multiple of 64 bytes, also in bfloat16


class FlatWeights:
    """The trainable parameters of a module as vectors of n elements, with gaps of zeros between them.

    Args:
        module: its parameters, and their gradients, become views of the vectors.
        parameters: the trainable ones in the order of the vectors, each once.
        low: call a copy of the module in bfloat16.

    Attributes:
        module: the network, float32.
        called: the network to call in a step: ``module``, or its copy.
        values: (n,) float32.
        gradient: (n,) float32.
        average: (n,) float32, the exponential moving average (EMA) of the values, which is what is kept of a run.
    """

    def __init__(self, module: nn.Module, parameters: Sequence[nn.Parameter], *, low: bool = False) -> None:
        self.module = module
        self.called: nn.Module = copy.deepcopy(module).bfloat16() if low else module
        called = dict(zip(module.parameters(), self.called.parameters(), strict=True))
        self._begins: dict[nn.Parameter, int] = {}
        n = 0
        for parameter in parameters:
            self._begins[parameter] = n
            n = _end(n, parameter)
        self.values = torch.zeros(n, device=parameters[0].device)
        self.gradient = torch.zeros_like(self.values)
        self._low = self.values.bfloat16() if low else None
        self._called = [called[parameter] for parameter in parameters]
        self._gradients = [_view(self.gradient, p, begin) for p, begin in self._begins.items()]
        for parameter, begin in self._begins.items():
            view = _view(self.values, parameter, begin)
            view.copy_(parameter.detach())
            parameter.data = view
            parameter.grad = _view(self.gradient, parameter, begin)
            if self._low is not None:
                called[parameter].data = _view(self._low, parameter, begin)
        self.average = self.values.clone()
        self.cast()

    def piece(self, parameters: Sequence[nn.Parameter]) -> nn.Parameter:
        """Return values and gradients of consecutive parameters as one vector (m,)."""
        rows = slice(self._begins[parameters[0]], _end(self._begins[parameters[-1]], parameters[-1]))
        vector = nn.Parameter(self.values[rows])
        vector.grad = self.gradient[rows]
        return vector

    def call(self, *inputs: Any, **named: Any) -> Any:
        """Call the network; in bfloat16 its floating-point inputs are cast."""
        if self._low is None:
            return self.called(*inputs, **named)
        return self.called(*map(_bfloat16, inputs), **{name: _bfloat16(value) for name, value in named.items()})

    def backward(self, loss: torch.Tensor, *, add: bool = False) -> None:
        """Set the gradient of a loss, or add it to what is there."""
        self.called.zero_grad()  # to None: the network then hands over its gradients instead of adding to old ones
        loss.backward()
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._called]
        if add:  # in float32, whatever the network's precision
            torch._foreach_add_(self._gradients, [gradient.float() for gradient in found])
        else:
            torch._foreach_copy_(self._gradients, found)
        for parameter, view in zip(self._begins, self._gradients, strict=True):
            parameter.grad = view

    def reduce(self, added: int = 1, processes: int = 1) -> torch.Tensor:
        """Make the gradient the mean over so many added ones and over the processes; return its norm, a scalar."""
        if processes > 1:
            torch.distributed.all_reduce(self.gradient)
        if added * processes > 1:
            self.gradient /= added * processes
        return torch.linalg.vector_norm(self.gradient)

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the average towards the values."""
        self.average.lerp_(self.values, 1.0 - decay)  # θ̄ ← θ̄ + (1 − d) (θ − θ̄)

    @torch.no_grad()
    def cast(self) -> None:
        """Bring the weights of the copy in bfloat16 up to date with the values."""
        if self._low is not None:
            self._low.copy_(self.values)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Lend the average to the network, in evaluation mode, for the length of a ``with`` block."""
        own = self.values.clone()
        self._take(self.average)
        self.called.eval()
        try:
            yield self.called
        finally:
            self._take(own)
            self.called.train()

    def finish(self) -> None:
        """Leave the average in the module, in evaluation mode, its parameters in memory of their own again."""
        self._take(self.average)
        for parameter in self._begins:
            parameter.data, parameter.grad = parameter.detach().clone(), None
        self.module.eval()

    @torch.no_grad()
    def _take(self, values: torch.Tensor) -> None:
        self.values.copy_(values)
        self.cast()


def _end(begin: int, parameter: nn.Parameter) -> int:
    return begin + -(-parameter.numel() // _ALIGNMENT) * _ALIGNMENT


def _view(vector: torch.Tensor, parameter: torch.Tensor, begin: int) -> torch.Tensor:
    """Return the part of a vector (n,) that belongs to a parameter, in its shape and order in memory."""
    return vector.as_strided(parameter.shape, torch.empty_like(parameter).stride(), begin)


def _bfloat16(value: Any) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.bfloat16() if floating else value
