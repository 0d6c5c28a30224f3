"""The optimisers of a training run: AdamW, or Muon on matrices and kernels and AdamW on the rest.

Sources: Loshchilov and Hutter 2019 (AdamW); Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural
networks" (https://kellerjordan.github.io/posts/muon); Liu et al. 2025, "Muon is scalable for LLM training", section 2.2
(one learning rate for both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from clipsonic.networks import set_execution
from clipsonic.training.config import TrainConfig
from clipsonic.training.divided import DividedWeights
from clipsonic.training.sharding import WHOLE, Shards
from clipsonic.training.weights import FlatWeights

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
_MOMENTUM = 0.95
_QUINTIC = (3.4445, -4.7750, 2.0315)  # a, b, c of Jordan et al.: steep at 0, and iterates stay within 0.68 … 1.14
_ITERATIONS = 4  # one less than Jordan et al.: the first norm here is nearer to the largest singular value
_ADAMW_RMS = 0.2  # root mean square of AdamW's updates, per unit of learning rate (Liu et al.)


def make_optimizers(
    module: nn.Module, config: TrainConfig, shards: Shards = WHOLE
) -> tuple[FlatWeights, list[torch.optim.Optimizer]]:
    """Return the weights of a module as vectors, and the optimisers that share them.

    Weights of one dimension never decay.

    Args:
        module: the network, on its device.
        config: the optimiser's settings, and how the network is computed.
        shards: which part this process keeps of what ``config.shard`` divides.
    """
    set_execution(module, channels_last=config.channels_last)  # before the weights lie in one piece
    execution = config.execution(next(module.parameters()).device)
    moved = kernels(module) if config.optimizer == "muon" else []
    rest = [p for p in module.parameters() if p.requires_grad and p not in set(moved)]
    decayed, plain = [p for p in rest if p.ndim >= 2], [p for p in rest if p.ndim < 2]
    kind = DividedWeights if config.shard == "weights" and shards.parts > 1 else FlatWeights
    weights = kind(module, [*moved, *decayed, *plain], execution, shards)
    found: list[torch.optim.Optimizer] = []
    if moved:
        dtype = torch.bfloat16 if execution.dtype == torch.bfloat16 else torch.float32
        found.append(_Muon(moved, config.learning_rate, config.weight_decay, dtype))
    parts = ((decayed, config.weight_decay), (plain, 0.0))
    groups = [{"params": [weights.piece(part)], "weight_decay": decay} for part, decay in parts if part]
    if groups:
        found.append(torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True))
    return weights, found


def kernels(module: nn.Module) -> list[nn.Parameter]:
    """Return what Muon moves: matrices and kernels that mix channels, of linear layers and of ungrouped convolutions.

    Jordan et al. leave embeddings to AdamW. Here linear layers carry the condition into every block; with AdamW they
    fell behind the convolutions in a first trial, and the network hardly followed the condition.
    """
    layers: Iterable[Any] = (m for m in module.modules() if isinstance(m, _LAYERS) and getattr(m, "groups", 1) == 1)
    return list(dict.fromkeys(layer.weight for layer in layers if layer.weight.requires_grad))


class _Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised: a step moves a layer's outputs by as much along every direction.

    Args:
        params: of two or more dimensions; a kernel (out, in, …) counts as a matrix (out, in · …).
        lr: as for AdamW, since updates have about the root mean square of AdamW's.
        weight_decay: decoupled, as AdamW's.
        dtype: that updates are orthogonalised in.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(list(params), {"lr": lr, "weight_decay": weight_decay})
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take a step; parameters without a gradient stay."""
        del closure
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad for p in params]
            for p in params:
                if not self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            momenta = [self.state[p]["momentum"] for p in params]
            torch._foreach_lerp_(momenta, grads, 1.0 - _MOMENTUM)  # M ← μ M + (1 − μ) G
            moves = torch._foreach_lerp(grads, momenta, _MOMENTUM)  # (1 − μ) G + μ M
            updates = orthogonalised(moves, self._dtype)  # O, of root mean square near 1
            torch._foreach_mul_(params, 1.0 - group["lr"] * group["weight_decay"])  # W ← W − η λ W
            torch._foreach_add_(params, updates, alpha=-_ADAMW_RMS * group["lr"])  # W ← W − 0.2 η O


def orthogonalised(kernels: Sequence[torch.Tensor], dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Return each kernel, as a matrix (m, n) = U S Vᵀ, with all singular values brought near √max(m, n).

    Its root mean square is then a little below 1. Kernels whose matrices have one shape are computed together.

    Args:
        kernels: (m, …) each, at least two dimensions.
        dtype: to compute in.

    Example:
        >>> (update,) = orthogonalised([torch.tensor([[3.0, 0.0], [0.0, 1.0]])])
        >>> (update / 2**0.5).round(decimals=1)
        tensor([[1.1000, 0.0000],
                [0.0000, 0.7000]])
    """
    alike: dict[tuple[int, int], list[int]] = {}
    for index, kernel in enumerate(kernels):
        rows = len(kernel)
        alike.setdefault((rows, kernel.numel() // rows), []).append(index)
    found = list(kernels)
    for (rows, columns), indices in alike.items():
        stacked = torch.stack([kernels[i].flatten(1) for i in indices])
        wide = _newton_schulz(stacked if rows <= columns else stacked.mT, dtype) * max(rows, columns) ** 0.5
        for i, update in zip(indices, wide if rows <= columns else wide.mT, strict=True):
            found[i] = update.reshape(kernels[i].shape)
    return found


def _newton_schulz(matrices: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return U f(S) Vᵀ of matrices U S Vᵀ (b, m, n), m ≤ n: f(s) within 0.68 … 1.14 unless s is a tiny part of |S|."""
    a, b, c = _QUINTIC
    x = matrices.to(dtype)
    gram = torch.bmm(x, x.mT)
    size = gram.norm(dim=(1, 2), keepdim=True).clamp(min=1e-30)  # |X Xᵀ|: its root is at least the largest s
    x, gram = x * size.rsqrt(), gram / size
    for iteration in range(_ITERATIONS):
        if iteration:
            gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)  # a X + (b G + c G²) X
    return x.to(matrices.dtype)
