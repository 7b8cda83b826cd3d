"""What is run in full, what on a part, and what is left out."""

from __future__ import annotations

import pytest
from benchmarks.som.adapters import Tool
from benchmarks.som.ours import SOMSCOPE
from benchmarks.som.peers import PEERS
from benchmarks.som.plan import make_plan, planned_seconds
from benchmarks.som.workloads import WORKLOADS, select


def tool(cost: float, online: bool = False, settings: int = 3) -> Tool:
    return Tool(
        "toy",
        "toy",
        lambda *_: pytest.fail("planning trains nothing"),
        None,
        {f"setting-{number}": {} for number in range(settings)},
        dict.fromkeys(("8x8", "40x40", "50x50", "20x20"), cost),
        online=online,
    )


def test_cheap_tools_run_on_everything_with_every_setting() -> None:
    jobs = make_plan(select(["20x20"]), [tool(2.0)])
    assert [job.variant for job in jobs] == ["setting-0", "setting-1", "setting-2"]
    for job in jobs:
        assert (job.items, job.passes, job.extrapolated, job.seeds) == (10_000, 10, False, (0, 1, 2))


def test_slow_tools_are_timed_on_a_part_once() -> None:
    jobs = make_plan(select(["40x40"]), [tool(500.0)])
    assert len(jobs) == 1
    assert jobs[0].extrapolated
    assert 1_600 < jobs[0].items < 60_000
    assert jobs[0].seeds == (0,)


def test_an_online_tool_has_one_pass() -> None:
    assert {job.passes for job in make_plan(select(["20x20"]), [tool(100.0, online=True)])} == {1}


def test_the_allowance_ends_the_list_of_settings() -> None:
    many = tool(15.0, settings=9)
    short = make_plan(select(["50x50"]), [many])
    everything = make_plan(select(["50x50"]), [many], allowance=10_000)
    assert 1 <= len(short) < len(everything) == 9
    assert [job.variant for job in short] == [job.variant for job in everything][: len(short)]


def test_quick_is_quick_and_variants_select() -> None:
    jobs = make_plan(list(WORKLOADS), [SOMSCOPE, *PEERS.values()], quick=True)
    assert all(job.extrapolated and job.items <= 5_000 for job in jobs)
    assert len(jobs) == len(WORKLOADS) * (1 + len(PEERS))
    chosen = make_plan(select(["20x20"]), [SOMSCOPE], variants=["final-radius"])
    assert chosen
    assert all(job.variant.startswith("final-radius-") for job in chosen)


def test_the_whole_plan_names_every_tool_and_fits() -> None:
    jobs = make_plan(list(WORKLOADS), [SOMSCOPE, *PEERS.values()])
    for workload in WORKLOADS:
        assert {job.tool for job in jobs if job.workload is workload} == {"somscope", *PEERS}
    assert {"default", "ten-passes", "final-radius-0.3"} <= {j.variant for j in jobs if j.tool == "somscope"}
    assert planned_seconds(jobs) < 35 * 60
    names = [(job.workload.name, job.tool, job.variant) for job in jobs]
    assert len(names) == len(set(names))
