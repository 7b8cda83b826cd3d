"""What a discriminator and its rival minimise, by the words of the authors' option --gan_mode."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from somscope.errors import check_choice

__all__ = ["ADVERSARIAL", "adversarial_loss"]

ADVERSARIAL = ("vanilla", "lsgan", "wgangp")


def adversarial_loss(scores: Tensor, real: bool, kind: str = "vanilla") -> Tensor:
    """() mean over all scores of how far they are from saying `real`; in float32.

    vanilla: -log sigmoid(s), or -log(1 - sigmoid(s)) for real=False (Goodfellow et al. 2014; for the generator, which
    asks for real=True, its non-saturating form). lsgan: (s - 1)^2 or s^2 (Mao et al., ICCV 2017). wgangp: -s or s; its
    gradient penalty is `wasserstein.gradient_penalty`. scores: any shape, logits. Raises InputError for another kind.
    """
    check_choice("objective", kind, ADVERSARIAL)
    scores = scores.float()
    if kind == "vanilla":
        return F.softplus(-scores if real else scores).mean()
    if kind == "lsgan":
        return (scores - float(real)).square().mean()
    return -scores.mean() if real else scores.mean()
