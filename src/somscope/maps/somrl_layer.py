"""SOMRL as a layer: a map that grows, learns relevances, and forgets, one batch at a time (SOMRL paper, 3).

A step takes a batch x (b, m) in [0, 1]. With c (centres), w (relevances), d (distances) of the units and the activation
of `relevance`:

    winner of an item: the most active unit; the items of each winner are grouped, those with an activation from
        `threshold` a_t apart from those below, and x_g is the mean of a group; with compared="group" none is parted,
        and the activation of x_g decides
    insertion: c = x_g, w = 1, d = 0, life = 1 for each group below a_t, while there are free places, largest groups
        first; the first batch of all makes one unit at its mean
    update of unit j by the groups g above a_t, r = its rank by activation by x_g, the winner's being 0:
        h_gj = exp(-gamma r), t_j = sum_g h_gj x_g / sum_g h_gj, lr_j = lr max_g h_gj
        d_j += beta lr_j (sum_g h_gj |x_g - c_j| / sum_g h_gj - d_j)                                            (eq. 5)
        w_j = 1 / (1 + exp((d_j - mean d_j) / (s (max d_j - min d_j)))), 1 where all d_ji are equal             (eq. 6)
        c_j += lr_j ((t_j - c_j) + rho max(1 - 2 ||c_j - c_mean||, 0) (c_j - c_mean) / ||c_j - c_mean||)    (eq. 3, 4)
    removal: a unit that wins nothing loses `life_decay` of its life, a winner has 1 again, 0 or less is the end

For a batch of one item this is the sequential algorithm; the order of the units makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from somscope.errors import InputError, check_choice
from somscope.maps.relevance import DISTANCES, EPSILON, activations, connected

__all__ = ["SOMRLLayer", "SOMRLRule", "Step", "is_number", "relevances_of"]

CHOICES = {
    "repel": ("distance", "dimension", "literal"),
    "neighbour_decay": ("rate", "scale"),
    "neighbours": ("activated", "all"),
    "combine": ("mean", "sum"),
    "distance": DISTANCES,
    "compared": ("item", "group"),
    "life_unit": ("batch", "sample"),
    "restored": ("activated", "winning"),
}
_DEAD = 1e-6  # of a life of 1: what float32 leaves of steps that should end at 0


@dataclass(frozen=True)
class SOMRLRule:
    """The parameters of a step. In the paper: threshold a_t, learning_rate lr, repel_rate rho, life_decay ld,
    relevance_rate beta, gamma, smoothness s.

    The paper leaves choices open; the first of each is ours, and what its text or a public ancestor's code supports.
    repel: from c_mean, the mean of the units, "after a certain distance" not any longer: up to a "distance" of 0.5,
        along the line away from it; or, as the "max is applied to each dimension", in each "dimension" by itself, where
        the push ends in the corners of the unit cube only. Eq. 4 takes the signed difference, under which all units
        drift to 0 ("literal").
    neighbour_decay: gamma is missing from h(r): exp(-gamma r) ("rate", gamma "controls the decay rate") or
        exp(-r / gamma) ("scale", as in code of LARFDSSOM's authors).
    neighbours: units with an activation from a_t by the group's mean ("activated", section 3.3) or "all" (Algorithm 1).
    combine: lr_j of a unit that several groups move: "mean", or "sum" (lr sum_g h_gj, at most 1), as if the groups came
        one after the other.
    distance: see `relevance.weighted_distances`.
    compared: whose activation is compared with a_t: that of each "item" (Algorithm 1, public code), or that of the mean
        of all items of a winner, the "group": section 3.3 calls this mean the input pattern that updates the map. A
        mean lies nearer to its unit than the items do.
    life_unit: life goes down once a "batch", as in the code, or for each "sample" of it.
    restored: who has its life back: winners with an activation from a_t ("activated", as in the code), or all that
        win ("winning", section 3.4).
    epsilon: of eq. 1, printed as a stray "+"; 1e-7 in LARFDSSOM, 1e-3 in a later code of the group.
    Raises InputError for values out of range.
    """

    threshold: float = 0.99
    learning_rate: float = 0.1426
    repel_rate: float = 1.0
    life_decay: float = 0.36
    relevance_rate: float = 0.067
    gamma: float = 1.382
    smoothness: float = 0.426
    epsilon: float = EPSILON
    repel: str = "distance"
    neighbour_decay: str = "rate"
    neighbours: str = "activated"
    combine: str = "mean"
    distance: str = "relevance"
    compared: str = "item"
    life_unit: str = "batch"
    restored: str = "activated"

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), np.generic):
                object.__setattr__(self, field.name, value.item())
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        _check("threshold", self.threshold, 0.0, 1.0, "above 0 and below 1", open_end=True)
        for name in ("learning_rate", "life_decay", "relevance_rate"):
            _check(name, getattr(self, name), 0.0, 1.0, "above 0, at most 1")
        for name in ("gamma", "smoothness", "epsilon"):
            _check(name, getattr(self, name), 0.0, float("inf"), "above 0", open_end=True)
        if not (is_number(self.repel_rate) and 0.0 <= self.repel_rate <= 1.0):
            raise InputError(f"repel_rate={self.repel_rate!r}; allowed: a number from 0 to 1")


def is_number(value: object) -> bool:
    """Whether it is a number of Python or NumPy, and no truth value."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _check(name: str, value: float, above: float, to: float, allowed: str, open_end: bool = False) -> None:
    if not (is_number(value) and above < value and (value < to if open_end else value <= to)):
        raise InputError(f"{name}={value!r}; allowed: a number {allowed}")


class Step(NamedTuple):
    """What a step found and left, for the items (b,) of the batch.

    places: (b,) place of each item's winner before the step. activated: (b,) whether its activation reached a_t.
    centres: (M, m) of all places after the step; with a gradient where the layer is told to let it through.
    """

    places: Tensor
    activated: Tensor
    centres: Tensor


def relevances_of(distances: Tensor, smoothness: float) -> Tensor:
    """(K, m) moving averages of the distances to the items -> (K, m) relevances in (0, 1), eq. 6.

    The sign is that of all public codes: near dimensions are relevant. Printed is the opposite.
    """
    least, most = distances.aminmax(dim=1, keepdim=True)
    spread = most - least
    even = spread == 0
    scale = smoothness * torch.where(even, 1.0, spread)
    return torch.where(even, 1.0, torch.sigmoid((distances.mean(1, keepdim=True) - distances) / scale))


class SOMRLLayer(nn.Module):
    """The state of a map with places for `max_units` units, and its step. All state is in persistent buffers.

    centres, relevances, distances: (M, m); life: (M,); alive: (M,) which places hold a unit. refused: groups that found
    no place so far; kept: how often the last unit was kept though it had lost its life.
    through: let the gradient of the batch through the update into `Step.centres`.
    """

    centres: Tensor
    relevances: Tensor
    distances: Tensor
    life: Tensor
    alive: Tensor
    refused: Tensor
    kept: Tensor

    def __init__(
        self,
        n_features: int,
        max_units: int = 200,
        rule: SOMRLRule | None = None,
        *,
        through: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.rule, self.through = rule or SOMRLRule(), through
        self.register_buffer("centres", torch.zeros(max_units, n_features, dtype=dtype))
        self.register_buffer("relevances", torch.ones(max_units, n_features, dtype=dtype))
        self.register_buffer("distances", torch.zeros(max_units, n_features, dtype=dtype))
        self.register_buffer("life", torch.zeros(max_units))
        self.register_buffer("alive", torch.zeros(max_units, dtype=torch.bool))
        self.register_buffer("refused", torch.zeros((), dtype=torch.int64))
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64))

    @property
    def n_units(self) -> int:
        """Units that live."""
        return int(self.alive.sum())

    def complaints(self) -> list[str]:
        """What went wrong so far, in words."""
        found = []
        if refused := int(self.refused):
            found.append(
                f"the map was full: {refused} times a group of items found none of the {len(self.alive)} places, the "
                "smallest groups first; lower threshold, or raise max_units"
            )
        if int(self.kept):
            found.append(
                "the map died out, and its last unit was kept: no item activated a unit up to the threshold; lower "
                "threshold or life_decay, or take larger batches"
            )
        return found

    def keep(self, units: Tensor) -> None:
        """Remove all units but these (k,), given by their numbers among those that live."""
        kept = self.alive.nonzero().squeeze(1)[units]
        self.alive.zero_()
        self.alive[kept] = True

    def connections(self) -> Tensor:
        """(K, K) bool of the units that live, in the order of their places: which activate each other."""
        alive, rule = self.alive, self.rule
        centres, relevances = self.centres[alive], self.relevances[alive]
        found: Tensor = connected(centres, relevances, rule.threshold, rule.epsilon, rule.distance)
        return found

    def step(self, x: Tensor, total: Callable[[Tensor], Tensor] | None = None) -> Step:
        """Learn from a batch (b, m) in [0, 1]. total: sums over processes, each of which has a part of the batch."""
        with torch.set_grad_enabled(self.through and torch.is_grad_enabled()):
            return self._step(x, total)

    def _step(self, x: Tensor, total: Callable[[Tensor], Tensor] | None) -> Step:
        rule, items = self.rule, x.detach()
        units = self.alive.nonzero().squeeze(1)  # (K,) places that hold a unit
        n_units = len(units)
        centres, relevances = self.centres[units], self.relevances[units]
        if n_units:
            active = activations(items, centres, relevances, rule.epsilon, rule.distance)
            best, winner = active.max(1)
            activated = best >= rule.threshold
        else:  # all items together make the first unit
            winner = torch.zeros(len(items), dtype=torch.int64, device=items.device)
            activated = torch.zeros(len(items), dtype=torch.bool, device=items.device)
        width = max(n_units, 1)
        by_group = rule.compared == "group" and n_units > 0
        group = (
            winner if by_group else winner + width * ~activated
        )  # groups above the threshold, then those below
        member = torch.zeros(2 * width, len(items), dtype=items.dtype, device=items.device)
        member[group, torch.arange(len(items), device=items.device)] = (
            1.0  # a product adds up in a fixed order
        )
        sums, counts = member @ (x if self.through else items), member.sum(1)
        if total is not None:
            both = total(torch.cat([sums, counts[:, None]], dim=1))
            sums, counts = both[:, :-1], both[:, -1]
        means = sums / counts.clamp(min=1.0)[:, None]
        if by_group:
            own = activations(means[:width].detach(), centres, relevances, rule.epsilon, rule.distance)
            reached = own.diagonal() >= rule.threshold
            activated = reached[winner]
            means = means[:width].repeat(2, 1)
            counts = torch.cat([counts[:width] * reached, counts[:width] * ~reached])
        won, short = counts[:width], counts[width:]
        n_items = counts.sum()
        moved = self._updated(units, centres, relevances, means[:width], won) if n_units else self.centres
        self.centres.copy_(moved.detach())
        self._insert(means[width:].detach(), short)
        self._age(units, won, short, n_items)
        places = units[winner] if n_units else winner
        return Step(places, activated, moved if self.through else self.centres)

    def _updated(
        self, units: Tensor, centres: Tensor, relevances: Tensor, means: Tensor, won: Tensor
    ) -> Tensor:
        """The centres (M, m) after the update; distances and relevances are written at once."""
        rule = self.rule
        winners = won.nonzero().squeeze(1)  # (G,)
        means = means[winners]
        active = activations(means.detach(), centres, relevances, rule.epsilon, rule.distance)
        active[torch.arange(len(winners), device=active.device), winners] = torch.inf  # the winner has rank 0
        within = active >= (rule.threshold if rule.neighbours == "activated" else -1.0)
        depth = (
            int(within.sum(1).amax()) if len(winners) else 0
        )  # what is activated comes first in the ranking
        ranked = active.topk(depth, dim=1).indices
        rank = torch.arange(depth, device=active.device, dtype=centres.dtype)
        strength = torch.exp(-rule.gamma * rank if rule.neighbour_decay == "rate" else -rank / rule.gamma)
        by, at = within.gather(1, ranked).nonzero(
            as_tuple=True
        )  # pairs (P,) of a group and a unit that it moves
        unit = ranked[by, at]
        pull = torch.zeros(len(units), len(unit), dtype=centres.dtype, device=unit.device)
        pull[unit, torch.arange(len(unit), device=unit.device)] = strength[at]
        summed = pull.sum(1, keepdim=True)  # (K, 1)
        if rule.combine == "sum":
            rate = (rule.learning_rate * summed).clamp(max=1.0)
        else:
            rate = rule.learning_rate * (pull.amax(1, keepdim=True) if len(unit) else summed)
        share = pull / torch.where(summed > 0, summed, 1.0)
        towards = share @ means[by]
        apart = share @ (means.detach()[by] - centres[unit]).abs()
        old = self.distances[units]
        distances = torch.where(rate > 0, old + rule.relevance_rate * rate * (apart - old), old)
        self.distances[units] = distances
        self.relevances[units] = relevances_of(distances, rule.smoothness)
        away = centres - centres.mean(0)
        if rule.repel == "distance":
            far = away.norm(dim=1, keepdim=True)
            push = away / torch.where(far > 0, far, 1.0) * (1.0 - 2.0 * far).clamp(min=0.0)
        elif rule.repel == "dimension":
            push = away.sign() * (1.0 - 2.0 * away.abs()).clamp(min=0.0)
        else:
            push = -(1.0 + 2.0 * away).clamp(min=0.0)
        change = rate * (towards - centres + rule.repel_rate * push)
        return self.centres.index_add(0, units, torch.where(rate > 0, change, 0.0))

    def _insert(self, means: Tensor, counts: Tensor) -> None:
        """A unit for each group (K, m) of items (K,) that no unit was close enough to, the largest first."""
        size, groups = counts.sort(descending=True, stable=True)
        free = (~self.alive).nonzero().squeeze(1)[: len(groups)]
        size, groups = size[: len(free)], groups[: len(free)]
        self.refused += (counts > 0).sum() - (size > 0).sum()
        places = free[size > 0]
        self.centres[places] = means[groups[size > 0]]
        self.relevances[places] = 1.0
        self.distances[places] = 0.0
        self.life[places] = 1.0
        self.alive[places] = True

    def _age(self, units: Tensor, won: Tensor, short: Tensor, n_items: Tensor) -> None:
        """Take life from the units (K,) that won nothing, and their place from those that have none left."""
        if not len(units):
            return
        rule = self.rule
        winning = won > 0 if rule.restored == "activated" else (won + short) > 0
        lost = rule.life_decay * (n_items if rule.life_unit == "sample" else 1.0)
        life = torch.where(winning, 1.0, self.life[units] - lost)
        living = life > _DEAD
        self.life[units] = life
        self.alive[units] = living
        last = units[(won + short).argmax()]  # who held the most items stays if nobody else does
        none = ~self.alive.any()
        self.alive[last] |= none
        self.life[last] = torch.where(none, 1.0, self.life[last])
        self.kept += none
