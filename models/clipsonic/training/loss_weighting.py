"""Loss weighting that is learned: the loss of a noise level is divided by what it is expected to be.

Beside the network a smooth function u(t) of the noise level is trained on L / e^u + u, which is least where e^u is the
expected loss E[L | t]. So every noise level ends with the same weighted loss, and as much say in the gradient,
whatever the fixed weighting would be. The function is not part of the model that is kept.

Source: T. Karras et al., Analyzing and Improving the Training Dynamics of Diffusion Models, CVPR 2024 (EDM2), after
A. Kendall, Y. Gal and R. Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018. EDM2's u is linear
in random Fourier features of ln σ, here in the first cosines of t / T.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_COSINES = 16
_GAIN = 3.0  # of the coefficients, so that AdamW moves u by a few hundredths a step at usual learning rates


class WithExpectedLoss(nn.Module):
    """A network that also says the logarithm of the loss it expects: (x, t, …) -> prediction, u (b,).

    Args:
        network: (x (b, …), t (b,) int64, …) -> prediction.
        steps: T, the number of noise levels.

    Attributes:
        network: as given.
        coefficients: (k,) of the cosines, 0 at the start: the plain loss.
    """

    def __init__(self, network: nn.Module, steps: int) -> None:
        super().__init__()
        self.network, self._steps = network, steps
        self.coefficients = nn.Parameter(torch.zeros(_COSINES, device=next(network.parameters()).device))

    def forward(self, x: Tensor, t: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's prediction (b, …) and u (b,)."""
        return self.network(x, t, *inputs), self.log_loss(t)

    def log_loss(self, t: Tensor) -> Tensor:
        """Return u, the logarithm of the expected loss, (b,) for noise levels (b,)."""
        k = torch.arange(_COSINES, device=t.device)
        basis = torch.cos(math.pi * k * ((t[:, None] + 0.5) / self._steps))  # cos π k (t + 1/2) / T
        return _GAIN * torch.mv(basis.to(self.coefficients.dtype), self.coefficients)


def weighted(losses: Tensor, log_loss: Tensor) -> Tensor:
    """Return L / e^u + u of the losses (b,) and the logarithms of the expected losses u (b,).

    Example:
        >>> weighted(torch.tensor([0.5, 2.0]), torch.tensor([0.5, 2.0]).log())
        tensor([0.3069, 1.6931])
    """
    return losses / log_loss.exp() + log_loss
