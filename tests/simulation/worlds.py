"""Random worlds: some accounts, a crowd that borrows, and features that each make trouble of one kind.

A world is run as `simulate(WORLDS["everything"], seed)`. Every actor and every feature draws from a stream of
its own, so a world with fewer of them does the rest as before; that is what makes a failing one shrink.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.simulation.features import ALWAYS, CAPABILITY, CAPS, FEATURES, Scene, borrower, moody_hooks
from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import Cancel, Order, SimulatedLoop, stream
from tests.simulation.simulated_x import SimulatedX, account
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import PoolHooks
from twikit_pool.sessions.manager import TwikitSessionManager

PATIENCE: Final = 6 * 3600.0
"""Seconds after which nobody can still have a reason to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """So many borrowers and these features; called with a loop, it runs to its end.

    `share` is the chance that each of the features is there, drawn from the seed.
    """

    name: str
    features: frozenset[str]
    size: int = 40
    share: float = 1.0

    async def __call__(self, loop: SimulatedLoop) -> dict[str, float]:
        """Returns how much happened: virtual seconds, requests sent, and looks at the pools."""
        scene = self._scene(loop)
        async with TwikitConnectionPoolManager(self._sessions(scene), automation=None) as manager:
            for number in range(1 + ("shared" in scene.features)):
                config = self._config(scene, number)
                shared = "shared" in scene.features
                pool = await manager.create_pool(f"pool-{number}", config, shared=shared, hooks=scene.hooks)
                pool.rng.seed(f"pool-{number}:{loop.seed}")  # the manager gives each pool chance of its own
                scene.pools.append(pool)
            scene.watch = Watch(scene.x, scene.pools)
            loop.watch = scene.watch.look
            await self._everyone_ends(scene)
            await self._calm(scene)
            scene.watch.at_rest()
            loop.watch = None
        scene.watch.after_shutdown()
        return {"seconds": round(loop.time(), 6), "sent": len(scene.x.sent), "looks": scene.watch.looks}

    def _scene(self, loop: SimulatedLoop) -> Scene:
        rng = self._stream("scene", loop)
        features = frozenset(
            each for each in self.features if self._stream(f"has {each}", loop).random() < self.share
        )
        accounts = [
            account(f"a{number}", capabilities=frozenset({CAPABILITY} if number % 2 == 0 else ()))
            for number in range(rng.randint(3, 6))
        ]
        x = SimulatedX(loop, limit=rng.randint(3, 8) if "windows" in features else 10_000)
        return Scene(
            loop,
            x,
            MemoryAccounts(accounts),
            [each.id for each in accounts],
            features,
            moody_hooks(self._stream("hooks", loop), loop) if "hooks" in features else PoolHooks(),
        )

    def _sessions(self, scene: Scene) -> TwikitSessionManager:
        caps = CAPS if "caps" in scene.features else None
        return TwikitSessionManager(
            scene.source, backend=scene.x, clock=scene.loop.clock, rng=scene.loop.rng, caps=caps
        )

    def _config(self, scene: Scene, number: int) -> ConnectionPoolConfig:
        settings: dict[str, Any] = {"acquire_timeout": None, "connection_timeout": 2.0, "open_backoff": 0.5}
        for name in sorted(scene.features):
            settings |= FEATURES[name].settings(self._stream(f"{name}-{number}", scene.loop))
        most = settings.setdefault("max_connections", 100)
        each = settings.get("max_connections_per_account", 1)
        return ConnectionPoolConfig(**settings | {"max_connections_per_account": min(each, most)})

    def _stream(self, name: str, loop: SimulatedLoop) -> random.Random:
        return stream(f"world-{name}", loop.seed)

    async def _everyone_ends(self, scene: Scene) -> None:
        """I3: however a borrower ends, it does, and with nothing that its world does not explain."""
        loop = scene.loop
        acts = [(f"borrower-{number}", borrower) for number in range(self.size)]
        acts += [(name, act) for name in sorted(scene.features) if (act := FEATURES[name].act) is not None]
        tasks = [
            loop.create_task(act(scene, self._stream(name, loop)), name=f"actor-{name}") for name, act in acts
        ]
        await asyncio.wait(tasks, timeout=PATIENCE)
        left = [f"{each.get_name()}: {each.get_stack()[-1:]}" for each in tasks if not each.done()]
        assert not left, (
            f"after {PATIENCE:g} s {left} have not ended; {[each.status() for each in scene.pools]}"
        )
        expected = ALWAYS + tuple(error for name in scene.features for error in FEATURES[name].raises)
        for task in tasks:
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, expected):
                raise error

    async def _calm(self, scene: Scene) -> None:
        """Let everything that was begun come to its end: reservations, pauses, openings, renewals."""
        scene.x.codes.clear()
        for pool in scene.pools:
            if pool.mode != "open":
                pool.resume()
            for reservation in pool.reservations():
                reservation.release()
            pool.reconfigure(
                enable_health_checks=False, max_idle_time=None, max_lifetime=None, lease_timeout=None
            )
        await asyncio.sleep(300.0)

    def command(self, seed: int, order: Order, cancel: Cancel) -> str:
        """The command that repeats a run."""
        words = [f"python -m tests.simulation {self.name} --seed {seed} --order {order}"]
        if cancel is not None:
            words.append(f"--cancel {'handoff' if type(cancel).__name__ == 'CancelAtHandOff' else 'random'}")
        preset = WORLDS.get(self.name)
        if preset is None or preset.size != self.size:
            words.append(f"--size {self.size}")
        if preset is None or preset.features != self.features:
            words.append(f"--features '{','.join(sorted(self.features))}'")
        return " ".join(words)

    def smaller(self, *, size: int | None = None, without: Iterable[str] = ()) -> World:
        """The same with fewer borrowers or features."""
        return replace(
            self, size=self.size if size is None else size, features=self.features - frozenset(without)
        )


def _world(name: str, *features: str, share: float = 1.0) -> World:
    return World(name=name, features=frozenset(features), share=share)


WORLDS: Final[dict[str, World]] = {
    world.name: world
    for world in (
        _world("crowd", "selection", "resize"),
        _world("shared", "shared", "several", "reclaim", "selection"),
        _world("lives", "lazy", "short lives", "checks", "broken openings", "hooks", "single use"),
        _world("scarce", "scarce", "reservations", "several", "resize", "short lives"),
        _world("windows", "windows", "illness", "several", "selection"),
        _world("healing", "healing", "illness", "several", "shared", "refresh", "reservations", "emergency"),
        _world("reserved", "reservations", "quarantine", "several", "reconfigure"),
        _world("governed", "suspend", "emergency", "drain", "refresh", "lazy", "hooks"),
        _world("stopped", "emergency", "suspend", "checks", "reservations"),
        _world("outages", "outages", "illness", "several", "reservations", "checks", "scarce"),
        _world("braked", "braked", "windows", "emergency", "reclaim", "several", "drain"),
        _world("held back", "caps", "windows", "reserve", "avoiding", "deadlines", "several", "reservations"),
        _world(
            "switched", "switches", "outages", "windows", "caps", "reserve", "deadlines", "illness", "shared"
        ),
        _world(
            "deferred", "deferral", "reservations", "scarce", "windows", "outages", "lazy", "broken openings"
        ),
        _world("limited", "limits", "resize", "reservations", "several", "scarce", "lazy", "broken openings"),
        _world("tuned", "tuning", "reservations", "several", "windows", "checks", "hooks", "lazy", "reclaim"),
        _world("overload", "overload", "suspend", "plain order"),
        _world("everything", *FEATURES, share=0.4),
    )
}
"""Each presses one promise; `everything` mixes all."""
