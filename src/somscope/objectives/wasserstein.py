"""The Wasserstein distance of two sets of items by a critic (Arjovsky et al., ICML 2017; Gulrajani et al., NIPS 2017).

W(data, generated) = max over f with slope 1 of  E f(data) - E f(generated)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from somscope.parts import rand

__all__ = ["gradient_penalty"]


def gradient_penalty(critic: Callable[[Tensor], Tensor], items: Tensor, others: Tensor) -> Tensor:
    """Mean over pairs of (||grad f(x^)|| - 1)^2 at x^ = u x + (1 - u) x', u uniform in 0 .. 1 (Gulrajani's eq. 3).

    critic: (b, d) -> (b,); items, others: (b, d), constants. The result can be differentiated by the critic's weights.
    In float32 at least: autocast is off inside.
    """
    with torch.autocast(items.device.type, enabled=False):
        wide = torch.promote_types(items.dtype, torch.float32)
        a, b = items.detach().to(wide), others.detach().to(wide)
        share = rand(len(a), 1, dtype=wide, device=a.device)
        between = (share * a + (1.0 - share) * b).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        lengths: Tensor = slope.square().sum(1).add(1e-12).sqrt()  # a zero slope has a gradient, too
        return (lengths - 1.0).square().mean()
