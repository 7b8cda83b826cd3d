"""What to run: which tool, which setting, on all items or on a part, over how many seeds, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.som.adapters import Tool
from benchmarks.som.workloads import Workload

__all__ = ["ALLOWANCE", "Job", "make_plan", "planned_seconds"]

ALLOWANCE = 40.0  # seconds: a peer's further settings on a workload are tried while their sum stays below
OURS = 6.0  # times: what somscope's defaults and its curve over the final radius may take of that
BUDGET = 32.0  # seconds: a training expected to take longer is run on a part of the items and extrapolated
EXTRAPOLATION = 4.0  # seconds: how long such a part may take
ASSIGNMENT = 3.0  # seconds: the same for the assignment of all items
SHORT = 2.0  # seconds: shorter trainings are run with three seeds
START = 3.0  # seconds: starting a process, importing, loading, warming up, measuring the product


@dataclass(frozen=True)
class Job:
    """One measurement: a tool with one setting on one workload."""

    workload: Workload
    tool: str
    variant: str
    options: dict[str, Any]
    passes: int
    items: int
    assign_items: int
    extrapolated: bool
    seeds: tuple[int, ...]
    expected_seconds: float
    quick: bool = False

    @property
    def timeout(self) -> float:
        """Seconds after which the measurement is given up: noisy machines are slow, hanging libraries endless."""
        return 90.0 + 4.0 * self.expected_seconds

    def describe(self) -> str:
        part = f" on {self.items} items, extrapolated" if self.extrapolated else ""
        return f"{self.workload.name}  {self.tool} {self.variant}: {self.passes} passes{part}, seeds {list(self.seeds)}"


def _part(n_items: int, pass_seconds: float, passes: int, limit: float, minimum: int) -> int:
    """How many of the items can be done in `limit` seconds, a round number, at least `minimum`."""
    share = limit / max(pass_seconds * passes, 1e-9)
    if share >= 1.0:
        return n_items
    return min(n_items, max(minimum, int(share * n_items) // 100 * 100))


def _job(workload: Workload, tool: Tool, variant: str, quick: bool, n_seeds: int) -> Job:
    options = dict(tool.settings[variant])
    passes = options.pop("passes", 1 if tool.online else 10)
    factor = options.pop("cost", 1.0)
    cost = tool.cost[workload.grid] * factor * workload.expected_product_seconds
    assign_cost = (
        tool.assign_cost.get(workload.grid, tool.cost[workload.grid]) * workload.expected_product_seconds
    )
    n = workload.n_items
    seeds = tuple(range(n_seeds))
    items, extrapolated = n, False
    minimum = 200 if tool.online else workload.n_units + 100
    ours = tool.name == "somscope"
    if quick:
        passes = max(tool.minimum_passes, 1 if tool.online else 2)
        items, extrapolated = _part(n, cost, passes, 0.5, minimum), True
        items = min(items, max(2000, minimum))
        seeds = seeds[:1]
    elif cost * passes > BUDGET and not ours:
        passes = max(tool.minimum_passes, 1 if tool.online else 2)
        items, extrapolated = _part(n, cost, passes, EXTRAPOLATION, minimum), True
        seeds = seeds[:1]
    elif cost * passes < SHORT and ours and variant in ("default", "ten-passes"):
        seeds = tuple(range(max(n_seeds, 5))) if n_seeds > 1 else seeds  # what the claims rest on
    elif cost * passes > SHORT and not (ours and variant in ("default", "ten-passes")):
        seeds = seeds[:1]
    assign_items = items if quick else _part(n, assign_cost, 1, ASSIGNMENT, 200)
    if tool.assign is None:
        assign_items = 0
    expected = START + workload.expected_product_seconds * (1 + (2 if extrapolated else 3) * len(seeds))
    expected += len(seeds) * (cost * passes * items / n + assign_cost * assign_items / n)
    if not extrapolated:
        expected += 1.3 * workload.product_flops / 5e10 * len(seeds)  # the quality, in float64
    return Job(
        workload,
        tool.name,
        variant,
        options,
        passes,
        items,
        assign_items,
        extrapolated,
        seeds,
        expected,
        quick,
    )


def make_plan(
    workloads: list[Workload],
    tools: list[Tool],
    quick: bool = False,
    variants: list[str] | None = None,
    n_seeds: int = 3,
    allowance: float = ALLOWANCE,
) -> list[Job]:
    """The jobs in running order. Settings are tried in the order of the tool's table, as far as the allowance goes (the
    first one always). An extrapolated tool is measured with its first setting only: it gives no quality.
    """
    jobs = []
    for workload in workloads:
        for tool in tools:
            timed_part, spent = False, 0.0
            limit = allowance * (OURS if tool.name == "somscope" else 1.0)
            for variant in tool.settings:
                if variants and not any(pattern in variant for pattern in variants):
                    continue
                if quick and not variants and variant != next(iter(tool.settings)):
                    continue
                job = _job(workload, tool, variant, quick, n_seeds)
                if job.extrapolated and timed_part:
                    continue
                if spent and spent + job.expected_seconds > limit:
                    continue
                spent += 0.0 if job.extrapolated else job.expected_seconds
                timed_part = timed_part or job.extrapolated
                jobs.append(job)
    return jobs


def planned_seconds(jobs: list[Job]) -> float:
    """The expected seconds of a plan on two free cores."""
    return sum(job.expected_seconds for job in jobs)
