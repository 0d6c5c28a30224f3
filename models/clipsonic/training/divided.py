"""Weights of a network in training, divided over its processes (ZeRO, stage 3), by torch's ``fully_shard`` (FSDP2).

Between passes a process has the first dimension of every weight cut into as many parts as there are processes, and
keeps one. The weights of a block are gathered before it is computed, forwards and backwards, and let go afterwards;
behind the backward pass of a block, the mean of its gradient over the processes is scattered to those that keep it.
Weights of no block are gathered for the whole of a pass.
What a process keeps lies in one vector with the moments and averages beside it, as in
:mod:`clipsonic.training.weights`, whose whole vectors a checkpoint holds, whoever wrote it.

Source: Rajbhandari et al., ZeRO, SC 2020, section 5.3; Zhao et al., PyTorch FSDP, VLDB 2023.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from clipsonic.training.execution import outermost_blocks, prepared
from clipsonic.training.weights import FlatWeights, aligned
from clipsonic_eval.errors import ConfigError


class _Section(NamedTuple):
    """Where a parameter lies: in whole vectors, and in what a process keeps.

    Attributes:
        begin: in whole vectors.
        elements: of the parameter.
        at: in the vector of what is kept.
        size: there, the same for all processes, with a gap of zeros at its end.
        mine: which elements of the parameter, in its order in memory, this process keeps; rows of the first dimension.
        share: elements that a process keeps unless the rows do not suffice.
    """

    begin: int
    elements: int
    at: int
    size: int
    mine: slice
    share: int


class DividedWeights(FlatWeights):
    """:class:`FlatWeights` of which every process keeps its rows alone, m elements, and no vector is whole.

    ``module`` keeps shapes and buffers, and holds weights only while they are lent and at the end; ``called`` is a copy
    whose weights are divided.
    """

    def _hold(self) -> None:
        parameters = list(self._begins)
        if any(form.stride(0) * form.shape[0] != form.numel() for form in self._forms.values()):
            raise ConfigError(
                f"train.shard weights: {type(self.module).__name__} has weights whose rows do not follow each other in "
                "memory; use train.shard optimizer"
            )
        self._sections = dict(zip(parameters, self._cut(), strict=True))
        *_, last = self._sections.values()
        self.own = torch.zeros(last.at + last.size, device=parameters[0].device)
        self.reduced = torch.zeros_like(self.own)
        for parameter, section in self._sections.items():
            whole = parameter.detach().as_strided((section.elements,), (1,))
            self._mine(self.own, section).copy_(whole[section.mine])
        self.called = self._divided()
        called: dict[str, Any] = dict(self.called.named_parameters())  # DTensor, of torch.distributed
        self._names = {parameter: name for name, parameter in self.module.named_parameters()}
        self._rows_called = [called[self._names[parameter]] for parameter in parameters]
        self._values = [self._shaped(self.own, parameter) for parameter in parameters]
        self._gradients = [self._shaped(self.reduced, parameter) for parameter in parameters]
        self._empty()

    def _cut(self) -> Iterator[_Section]:
        at = 0
        for parameter, begin in self._begins.items():
            n, rows = parameter.numel(), len(parameter)
            share = -(-rows // self.shards.parts) * (n // rows)  # as torch.chunk deals rows
            first = min(self.shards.rank * share, n)
            yield _Section(begin, n, at, aligned(share), slice(first, min(first + share, n)), share)
            at += aligned(share)

    def _divided(self) -> nn.Module:
        """Return a copy of the network at its precision, with this process's rows alone."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

        own: dict[int, Any] = {id(p): nn.Parameter(p.detach().contiguous()) for p in self._begins}
        called: nn.Module = nn.Module.to(copy.deepcopy(self.module, own), self._execution.dtype)
        own.clear()
        frozen = {parameter for parameter in called.parameters() if not parameter.requires_grad}
        blocks = list(outermost_blocks(called))
        if self._execution.compiled:  # a block at a time, since graphs end where weights are gathered
            for block in blocks:
                block.forward = torch.compile(block.forward)
        self._network = prepared(called, self._execution._replace(compiled=False))
        if not hasattr(FSDPModule, "set_force_sum_reduction_for_comms"):
            raise ConfigError(
                f"train.shard weights: torch {torch.__version__} cannot be told how to take the mean of gradients; "
                "install torch 2.9 or newer, or use train.shard optimizer"
            )
        mesh = init_device_mesh(self.own.device.type, (self.shards.parts,))
        policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
        for part in [*blocks, called]:
            fully_shard(part, mesh=mesh, reshard_after_forward=True, mp_policy=policy, ignored_params=frozen)
        self._units: list[Any] = [part for part in called.modules() if isinstance(part, FSDPModule)]
        for unit in self._units:
            unit.set_force_sum_reduction_for_comms(enable=True)  # some versions of gloo take a sum for the mean
        return called

    def _part(self, span: slice) -> slice:
        inside = self._within(span)
        return slice(inside[0].at, inside[-1].at + inside[-1].size)

    def _within(self, span: slice) -> list[_Section]:
        return [section for section in self._sections.values() if span.start <= section.begin < span.stop]

    @staticmethod
    def _mine(vector: torch.Tensor, section: _Section) -> torch.Tensor:
        return vector[section.at : section.at + section.mine.stop - section.mine.start]

    def _shaped(self, vector: torch.Tensor, parameter: nn.Parameter) -> torch.Tensor:
        """Return this process's rows of a parameter, in a vector (m,), in their shape."""
        section, form = self._sections[parameter], self._forms[parameter]
        rows = (section.mine.stop - section.mine.start) // form.stride(0)
        return vector.as_strided((rows, *form.shape[1:]), form.stride(), section.at)

    def _gathered(self, kept: torch.Tensor, section: _Section) -> torch.Tensor:
        """Return a parameter of which every process has its section, in its order in memory."""
        found = kept.new_empty(self.shards.parts * section.size)
        self.shards.gather(found, kept)
        return found.view(-1, section.size)[:, : section.share].reshape(-1)[: section.elements]

    def _parameter(self, vector: torch.Tensor, parameter: nn.Parameter) -> torch.Tensor:
        """Return a parameter of which every process keeps its rows in a vector (m,)."""
        section, form = self._sections[parameter], self._forms[parameter]
        found = self._gathered(vector[section.at : section.at + section.size], section)
        return found.as_strided(form.shape, form.stride())

    def _fill(self) -> None:
        """Leave the average in the module, whole."""
        for parameter in self._begins:
            parameter.data = self._parameter(self.average, parameter)

    def _empty(self) -> None:
        """Leave shapes without memory in the module."""
        for parameter in self._begins:
            parameter.data = parameter.new_zeros(()).expand(parameter.shape)

    def whole(self, kept: torch.Tensor, of: nn.Parameter | None = None) -> torch.Tensor:
        """Return all of a vector (n,) of which every process keeps its part: on the first process; empty on the others.

        Args:
            kept: (m,), or what else :meth:`FlatWeights.whole` takes.
            of: likewise.
        """
        if not kept.ndim:
            return kept
        span = slice(0, self._used) if of is None else self._pieces[of]
        vector = torch.zeros(0 if self.shards.rank else span.stop - span.start)
        base = self._part(span).start
        for section in self._within(span):
            found = self._gathered(kept[section.at - base :][: section.size], section)
            if not self.shards.rank:
                vector[section.begin - span.start :][: section.elements] = found.cpu()
        return vector

    def kept(self, whole: torch.Tensor, of: nn.Parameter | None = None) -> torch.Tensor:
        """Return what this process keeps, (m,), of a whole vector (n,); a new one, or a scalar as it is."""
        if not whole.ndim:
            return whole
        span = slice(0, self._used) if of is None else self._pieces[of]
        part = self._part(span)
        vector = whole.new_zeros(part.stop - part.start)
        for section in self._within(span):
            of_parameter = whole[section.begin - span.start :][: section.elements]
            self._mine(vector, section._replace(at=section.at - part.start)).copy_(of_parameter[section.mine])
        return vector

    def call(self, *inputs: Any, **named: Any) -> Any:
        """Call the network, as in :meth:`FlatWeights.call`; what it returns is not to be changed in place."""
        with warnings.catch_warnings():  # of just that, where it is a view
            warnings.filterwarnings("ignore", message="FSDP2-wrapped module", category=UserWarning)
            return super().call(*inputs, **named)

    def backward(self, loss: torch.Tensor, *, add: bool = False) -> None:
        """Set the gradient of a loss, a scalar, its mean over the processes, or add it to what is there."""
        with self._products():
            (loss * self.scale.factor).backward()
        if not add:
            self.reduced.zero_()
        for parameter, gradient in zip(self._rows_called, self._gradients, strict=True):
            if parameter.grad is not None:
                gradient.add_(parameter.grad.to_local())  # in float32, whatever the network's precision
        self.called.zero_grad()

    def reduce(self, divisor: float = 1.0) -> torch.Tensor:
        """Divide the gradient by a number; return its norm, a scalar."""
        if (divisor := divisor * self.scale.factor) != 1:
            self.reduced /= divisor
        return self.shards.norm(self.reduced)

    @torch.no_grad()
    def exchange(self) -> None:
        """Bring the divided weights of the network that is called up to date."""
        self.cast()

    @torch.no_grad()
    def cast(self) -> None:
        """Bring the divided weights of the network that is called up to date, at its precision."""
        for unit in self._units:
            unit.reshard()
        for parameter, values in zip(self._rows_called, self._values, strict=True):
            parameter.to_local().copy_(values)

    def state(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield names and tensors of the network, each in its shape; all processes go through them together."""
        parameters = {self._names[parameter]: parameter for parameter in self._begins}
        for name, value in self.module.state_dict().items():
            yield name, self._parameter(self.own, parameters[name]) if name in parameters else value

    @torch.no_grad()
    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Load tensors, each in its shape, as :meth:`state` yields them; what is called waits for :meth:`cast`."""
        state = dict(state)
        for parameter, values in zip(self._begins, self._values, strict=True):
            first = self._sections[parameter].mine.start // self._forms[parameter].stride(0)
            values.copy_(state.pop(self._names[parameter])[first : first + len(values)])
        self.module.load_state_dict(state, strict=False)  # what is not divided

    @contextlib.contextmanager
    def lent(self) -> Iterator[nn.Module]:
        """Lend the average, whole, to :attr:`module`, in evaluation mode, for the length of a ``with`` block."""
        self._fill()
        yield self.module.eval()
        self._empty()

    def finish(self) -> None:
        """Leave the average in the module, whole on every process, in evaluation mode."""
        del self.called, self._network, self._units, self._rows_called
        self._fill()
        self.module.eval()
