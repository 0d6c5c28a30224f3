"""Group normalisation with scale and shift of every item, for activations with their channels last.

The operator of PyTorch takes up to ten times as long on a processor in this layout, forwards and backwards. Here two
sums and one multiply-add per direction do all the work on the whole array; the rest are sums over groups of numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_EPS = 1e-5


class _Normalise(torch.autograd.Function):
    """y = γ x̂ + β with x̂ = (x − μ) ρ, ρ = 1 / √(σ² + ε), and μ, σ² of each item and group; γ and β (b, c) float32."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, groups: int) -> torch.Tensor:
        b, n, c = x.shape
        count = n * (c // groups)
        wide = _wide(x)
        squares = wide * wide
        mean = _over_groups(wide.sum(1), groups) / count  # μ = Σ x / N
        variance = _over_groups(squares.sum(1), groups) / count - mean * mean  # σ² = Σ x² / N − μ²
        rho = torch.rsqrt(variance.clamp_(min=0) + _EPS)
        gamma = gamma.view(b, groups, -1)
        scale = rho * gamma
        shift = beta.view(b, groups, -1) - mean * scale
        ctx.save_for_backward(x, mean, rho, gamma)
        return torch.addcmul(_spread(shift, x), x, _spread(scale, x), out=_over(squares, x))  # (γ ρ) x + (β − μ γ ρ)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        (gradient,) = gradients  # g = ∂L/∂y
        x, mean, rho, gamma = ctx.saved_tensors
        b, n, c = x.shape
        groups = mean.shape[1]
        count = n * (c // groups)
        wide = _wide(gradient)
        of_beta = wide.sum(1).float().view(b, groups, -1)  # Σ g
        products = wide * x
        of_gamma = rho * (products.sum(1).float().view(b, groups, -1) - mean * of_beta)  # Σ g x̂
        first = (gamma * of_beta).sum(2, keepdim=True) / count  # ⟨γ g⟩
        second = (gamma * of_gamma).sum(2, keepdim=True) / count  # ⟨γ g x̂⟩
        # ∂L/∂x = ρ (γ g − ⟨γ g⟩ − x̂ ⟨γ g x̂⟩) = (γ ρ) g + k x − (ρ ⟨γ g⟩ + k μ),  k = −ρ² ⟨γ g x̂⟩
        k = -rho * rho * second
        constant = -rho * first - k * mean
        of_x = _over(products, x)
        torch.addcmul(_spread(constant.expand_as(gamma), x), x, _spread(k.expand_as(gamma), x), out=of_x)
        of_x.addcmul_(gradient, _spread(rho * gamma, x))
        return of_x, of_gamma.reshape(b, c), of_beta.reshape(b, c), None


def _wide(x: torch.Tensor) -> torch.Tensor:
    """Return x in the precision that it is summed in: sums of squares leave the range of float16 at 65,504."""
    return x.float() if x.dtype == torch.float16 else x


def _over(used: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return memory for a result like another: that of an array no longer needed, which is still in the caches."""
    return used if used.dtype == like.dtype and used.stride() == like.stride() else torch.empty_like(like)


def _over_groups(sums: torch.Tensor, groups: int) -> torch.Tensor:
    """Return the sums (b, groups, 1) float32 of the channels' sums (b, c)."""
    return sums.float().view(len(sums), groups, -1).sum(2, keepdim=True)


def _spread(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return values (b, groups, c / groups) as (b, 1, c) in the precision of ``like``."""
    return values.reshape(len(values), 1, -1).to(like.dtype)


class GroupNorm(nn.Module):
    """Group normalisation (b, c, h, w) -> (b, c, h, w), then perhaps scale and shift of every item.

    Args:
        groups: of channels that share mean and variance.
        width: c, number of channels.
    """

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(
        self, x: torch.Tensor, scale: torch.Tensor | None = None, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return (1 + scale) norm(x) + shift, for scale and shift (b, c); 0 where they are None."""
        b, c, h, w = x.shape
        gamma, beta = self.weight.float().expand(b, c), self.bias.float().expand(b, c)
        if scale is not None and shift is not None:
            gamma, beta = gamma * (1.0 + scale.float()), torch.addcmul(shift.float(), beta, 1.0 + scale.float())
        rows = x.permute(0, 2, 3, 1).reshape(b, h * w, c)
        normed: torch.Tensor = _Normalise.apply(rows, gamma, beta, self.groups)
        return normed.view(b, h, w, c).permute(0, 3, 1, 2)
