"""The promises, in random worlds that press them. Whatever a world presses, everything is looked at in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import CANCELS, ORDERS, main
from tests.simulation.features import FEATURES
from tests.simulation.shrinking import Failure, run, shrunk
from tests.simulation.simulated_loop import Order, SimulatedLoop, SimulationFailed, every_seed, simulate
from tests.simulation.worlds import WORLDS, World

OTHER_PYTHON = os.environ.get("TWIKIT_POOL_OTHER_PYTHON")
HERE = Path(__file__).resolve().parents[2]

in_every_order = pytest.mark.parametrize("order", ORDERS)


@in_every_order
def test_i1_one_holder_in_one_pool_at_a_time(order: Order) -> None:
    every_seed(WORLDS["shared"], range(30), order=order)
    every_seed(WORLDS["healing"], range(15), order=order)


@in_every_order
def test_i2_each_connection_in_one_state_within_all_limits(order: Order) -> None:
    every_seed(WORLDS["lives"], range(30), order=order)
    every_seed(WORLDS["scarce"], range(30), order=order)


@in_every_order
def test_i3_every_waiter_ends(order: Order) -> None:
    every_seed(WORLDS["governed"], range(60), order=order)
    every_seed(WORLDS["braked"], range(30), order=order)


@in_every_order
@pytest.mark.parametrize("cancel", ["handoff", "random"])
def test_i4_cancellation_leaks_nothing_and_passes_on(order: Order, cancel: str) -> None:
    every_seed(WORLDS["crowd"], range(25), order=order, cancel=CANCELS[cancel])
    every_seed(WORLDS["braked"], range(12), order=order, cancel=CANCELS[cancel])
    every_seed(WORLDS["everything"], range(12), order=order, cancel=CANCELS[cancel])


@in_every_order
def test_i6_reserved_connections_go_to_their_owner_alone(order: Order) -> None:
    every_seed(WORLDS["reserved"], range(40), order=order)


@in_every_order
def test_i7_no_budget_is_exceeded(order: Order) -> None:
    every_seed(WORLDS["windows"], range(40), order=order)


@in_every_order
def test_i8_nothing_but_what_is_critical_leaves_in_an_emergency(order: Order) -> None:
    every_seed(WORLDS["stopped"], range(40), order=order)


@in_every_order
def test_i13_queues_are_bounded(order: Order) -> None:
    every_seed(WORLDS["overload"], range(40), order=order)


@in_every_order
def test_all_promises_in_worlds_that_mix_everything(order: Order) -> None:
    every_seed(WORLDS["everything"], range(100, 140), order=order)


# ---------------------------------------------------------------- the worlds themselves


def test_the_worlds_know_every_feature() -> None:
    assert set(FEATURES) == WORLDS["everything"].features


def test_the_same_seed_is_the_same_run() -> None:
    for name, world in WORLDS.items():
        assert simulate(world, 5).digest == simulate(world, 5).digest, name


@pytest.mark.skipif(OTHER_PYTHON is None, reason="TWIKIT_POOL_OTHER_PYTHON names no other interpreter")
def test_the_same_seed_is_the_same_run_on_another_python() -> None:
    command = ["-m", "tests.simulation", "--seed", "7", "--json"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    told = [
        subprocess.run(
            [python, *command], cwd=HERE, env=environment, capture_output=True, text=True, check=True
        ).stdout
        for python in (sys.executable, str(OTHER_PYTHON))
    ]
    assert [json.loads(line) for line in told[0].splitlines()] == [
        json.loads(line) for line in told[1].splitlines()
    ]


def test_a_failing_seed_says_which_command_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: World, loop: SimulatedLoop) -> dict[str, float]:
        raise AssertionError("broken")

    monkeypatch.setattr(World, "__call__", broken)
    with pytest.raises(SimulationFailed) as failed:
        every_seed(WORLDS["crowd"], [7], order="pct", cancel=CANCELS["handoff"])
    assert failed.value.repeat == "python -m tests.simulation crowd --seed 7 --order pct --cancel handoff"


def test_the_command_repeats_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    command = WORLDS["reserved"].smaller(size=5, without={"several"}).command(3, "all", CANCELS["random"])
    words = command.replace("'", "").split()[3:]
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    world = WORLDS["reserved"].smaller(size=5, without={"several"})
    assert facts["digest"] == simulate(world, 3, order="all", cancel=CANCELS["random"]).digest


def test_a_failing_world_is_made_smaller() -> None:
    def fails(world: World, seed: int) -> Failure | None:
        if "drain" in world.features and world.size >= 3:
            return Failure(world=world, seed=seed, order="tasks", cancel=None, error=AssertionError())
        return None

    first = fails(WORLDS["everything"], 1)
    assert first is not None
    smallest = shrunk(first, fails)
    assert smallest.world.features == {"drain"}
    assert smallest.world.size == 3
    assert smallest.command.endswith("--size 3 --features 'drain'")


def test_a_world_that_is_well_is_no_failure() -> None:
    assert run(WORLDS["crowd"].smaller(size=3), 1, "tasks", None) is None
