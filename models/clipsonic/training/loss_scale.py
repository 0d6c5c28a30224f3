"""The factor on the loss in fp16, whose smallest numbers are larger than many gradients.

Source: Micikevicius et al., Mixed Precision Training, ICLR 2018, section 3.2; constants as in ``torch.amp.GradScaler``.
"""

from __future__ import annotations

_FIRST, _GROWTH, _INTERVAL = 2.0**16, 2.0, 2000
_SMALLEST = 2.0**-14  # a gradient that overflows below this is not the factor's doing


class LossScale:
    """The factor, which falls where the gradient overflows and grows after many steps without.

    Attributes:
        factor: by which the loss is multiplied and the gradient divided; 1 where it is off.
        good: steps since it last changed.
        on: whether the network is computed in fp16.
    """

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self.factor, self.good = (_FIRST if on else 1.0), 0

    def takes(self, *, finite: bool) -> bool:
        """Follow from a step's gradient; return whether the run can go on: with this step, or with the next one."""
        if finite:
            self.good += 1
            if self.on and self.good == _INTERVAL:
                self.factor, self.good = self.factor * _GROWTH, 0
            return True
        self.factor, self.good = self.factor / _GROWTH, 0
        return self.on and self.factor >= _SMALLEST
