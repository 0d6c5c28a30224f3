"""The weights of a network in training, in one piece of memory: a step works on vectors, not on hundreds of tensors.

At low precision a copy of the network is called, whose weights are cast once a step. Values, average and optimiser
stay float32.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from clipsonic.training.execution import FLOAT32, Execution, plain, prepared, products
from clipsonic.training.loss_scale import LossScale
from clipsonic.training.posthoc_ema import PowerAverages
from clipsonic.training.sharding import WHOLE, Shards

_ALIGNMENT = 32  # elements: every parameter begins at a multiple of 64 bytes, also in 16 bits


class FlatWeights:
    """The trainable parameters of a module as vectors of n elements, with gaps of zeros between them.

    Of the vectors that only an optimiser step needs, a process keeps m elements: all n, or its own part.

    Args:
        module: its parameters, and their gradients, become views of the vectors.
        parameters: the trainable ones in the order of the vectors, each once.
        execution: how the network is computed.
        shards: which part this process keeps.

    Attributes:
        module: the network, float32.
        called: the network to call in a step: ``module``, or its copy.
        values: (n,) float32.
        own: (m,) the values of this process's part, a view.
        gradient: (n,) float32.
        reduced: (m,) the part of the gradient that the step is taken along, a view.
        average: (m,) float32, the exponential moving average (EMA) of the values, which is what is kept of a run.
        scale: by which the gradient is too large until it is reduced; 1 but in fp16.
        profiles: further averages, from which one of any length is made after the run.
    """

    def __init__(
        self,
        module: nn.Module,
        parameters: Sequence[nn.Parameter],
        execution: Execution = FLOAT32,
        shards: Shards = WHOLE,
    ) -> None:
        self.module, self._execution, self.shards = module, execution, shards
        self._begins: dict[nn.Parameter, int] = {}
        n = 0
        for parameter in parameters:
            self._begins[parameter] = n
            n = _end(n, parameter)
        self._used = n
        self._forms = {p: torch.empty_like(p, device="meta") for p in parameters}  # shapes and orders in memory
        self._pieces: dict[nn.Parameter, slice] = {}
        self._hold()
        self.scale = LossScale(on=execution.precision == "fp16")
        self.average = self.own.clone()
        self.profiles = PowerAverages((), self.own)
        self.cast()

    def _hold(self) -> None:
        """Lay out the vectors, and make the network that is called."""
        module, execution = self.module, self._execution
        low = execution.dtype != torch.float32
        # not the network's own `to`, which in diffusers warns of casts
        self.called: nn.Module = nn.Module.to(copy.deepcopy(module), execution.dtype) if low else module
        self._network = prepared(self.called, execution)
        called = dict(zip(module.parameters(), self.called.parameters(), strict=True))
        self.values = torch.zeros(self.shards.padded(self._used), device=next(iter(self._begins)).device)
        self.gradient = torch.zeros_like(self.values)
        self._rows = self.shards.rows(len(self.values))
        self.own = self.values[self._rows]
        self.reduced = self.gradient[self._rows]
        self._low = self.values.to(execution.dtype) if low else None
        self._called = [called[parameter] for parameter in self._begins]
        self._gradients = [view(self.gradient, p, begin) for p, begin in self._begins.items()]
        for parameter, begin in self._begins.items():
            values = view(self.values, parameter, begin)
            values.copy_(parameter.detach())
            parameter.data = values
            parameter.grad = view(self.gradient, parameter, begin)
            if self._low is not None:
                called[parameter].data = view(self._low, parameter, begin)

    def piece(self, parameters: Sequence[nn.Parameter]) -> nn.Parameter:
        """Return this process's part of consecutive parameters, values and gradients, as one vector, perhaps empty."""
        span = slice(self._begins[parameters[0]], _end(self._begins[parameters[-1]], parameters[-1]))
        part = self._part(span)
        vector = nn.Parameter(self.own[part])
        vector.grad = self.reduced[part]
        self._pieces[vector] = span
        return vector

    def _part(self, span: slice) -> slice:
        """Return where a span of the vectors lies in what this process keeps."""
        first, last = self._rows.start, self._rows.stop
        begin, end = (min(max(at, first), last) for at in (span.start, span.stop))
        return slice(begin - first, end - first)

    def whole(self, kept: torch.Tensor, of: nn.Parameter | None = None) -> torch.Tensor:
        """Return all of a vector of which every process keeps its part, as all processes call it.

        Where parts are exchanged, the vector lies in the memory of the gradient and is lost in the next call or step.

        Args:
            kept: (m,), or what an optimiser keeps for a piece, a vector or a scalar.
            of: that piece; None: all parameters.
        """
        if self.shards.parts == 1 or not kept.ndim:
            return kept if of is not None else kept[: self._used]
        span = slice(0, self._used) if of is None else self._pieces[of]
        if of is not None:
            self.reduced[self._part(span)] = kept
            kept = self.reduced
        self.shards.gather(self.gradient, kept)
        return self.gradient[span]

    def kept(self, whole: torch.Tensor, of: nn.Parameter | None = None) -> torch.Tensor:
        """Return what this process keeps of a vector as :meth:`whole` returns it; a view, or a scalar as it is."""
        if self.shards.parts == 1 or not whole.ndim:
            return whole
        span = slice(0, self._used) if of is None else self._pieces[of]
        part = self._part(span)
        begin = self._rows.start + part.start - span.start
        return whole[begin : begin + part.stop - part.start]

    def call(self, *inputs: Any, **named: Any) -> Any:
        """Call the network; at low precision its floating-point inputs are cast."""
        with self._products():
            if self._execution.dtype == torch.float32:
                return self._network(*inputs, **named)
            return self._network(*map(self._cast, inputs), **{name: self._cast(value) for name, value in named.items()})

    def backward(self, loss: torch.Tensor, *, add: bool = False) -> None:
        """Set the gradient of a loss, a scalar, or add it to what is there."""
        self.called.zero_grad()  # to None: the network then hands over its gradients instead of adding to old ones
        with self._products():
            (loss * self.scale.factor).backward()
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._called]
        if add:  # in float32, whatever the network's precision
            torch._foreach_add_(self._gradients, found)
        else:
            torch._foreach_copy_(self._gradients, found)
        for parameter, view in zip(self._begins, self._gradients, strict=True):
            parameter.grad = view

    def reduce(self, divisor: float = 1.0) -> torch.Tensor:
        """Make the gradient its mean over the processes, divided by a number; return its norm, a scalar."""
        self.shards.add(self.gradient)
        if (divisor := divisor * self.shards.processes * self.scale.factor) != 1:
            self.reduced /= divisor
        return self.shards.norm(self.reduced)

    @torch.no_grad()
    def exchange(self) -> None:
        """Bring the weights that other processes have moved, and those of the copy at low precision, up to date."""
        self.shards.gather(self.values, self.own)
        self.cast()

    @torch.no_grad()
    def update_averages(self, decay: float, step: int) -> None:
        """Move the average towards the values, and the further ones of so many steps, from 1."""
        self.average.lerp_(self.own, 1.0 - decay)  # θ̄ ← θ̄ + (1 − d) (θ − θ̄)
        self.profiles.update(self.own, step)

    @torch.no_grad()
    def cast(self) -> None:
        """Bring the weights of the copy at low precision up to date with the values."""
        if self._low is not None:
            self._low.copy_(self.values)

    def state(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield names and tensors, each in its shape, as ``state_dict``; all processes go through them together."""
        yield from self.module.state_dict().items()

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Load tensors, each in its shape, as :meth:`state` yields them; the copy waits for :meth:`cast`."""
        self.module.load_state_dict(state)

    def named(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the parts of a vector (n,) by name of the parameter, in its shape."""
        names = {parameter: name for name, parameter in self.module.named_parameters()}
        return {names[p]: view(vector, self._forms[p], begin) for p, begin in self._begins.items()}

    @contextlib.contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Lend the average to the network, in evaluation mode, for the length of a ``with`` block.

        After an error in the block the network keeps it: other processes may no longer be there to exchange weights.
        """
        own = self.own.clone()
        self._take(self.average)
        self.called.eval()
        yield self.called
        self._take(own)
        self.called.train()

    @contextlib.contextmanager
    def lent(self) -> Iterator[nn.Module]:
        """Lend the average, whole, to :attr:`module` for the length of a ``with`` block, as :meth:`averaged`."""
        with self.averaged():
            yield self.module

    def finish(self) -> None:
        """Leave the average in the module, in evaluation mode, its parameters in memory of their own again."""
        self._take(self.average)
        for parameter in self._begins:
            parameter.data, parameter.grad = parameter.detach().clone(), None
        plain(self.module)
        self.module.eval()

    def _products(self) -> contextlib.AbstractContextManager[None]:
        return products(self._execution.precision, self.own.device)

    def _cast(self, value: Any) -> Any:
        floating = isinstance(value, torch.Tensor) and value.is_floating_point()
        return value.to(self._execution.dtype) if floating else value

    @torch.no_grad()
    def _take(self, own: torch.Tensor) -> None:
        self.own.copy_(own)
        self.exchange()


def _end(begin: int, parameter: nn.Parameter) -> int:
    return begin + aligned(parameter.numel())


def aligned(n: int) -> int:
    """Return the elements that n take in a vector, the gap behind them included."""
    return -(-n // _ALIGNMENT) * _ALIGNMENT


def view(vector: torch.Tensor, parameter: torch.Tensor, begin: int) -> torch.Tensor:
    """Return the part of a vector (n,) that belongs to a parameter, in its shape and order in memory."""
    at = vector.storage_offset() + begin  # the vector may itself be a row of a matrix
    return vector.as_strided(parameter.shape, torch.empty_like(parameter).stride(), at)
