"""Circuits: what would fail anyway is not sent, and one call at a time finds out whether it works again.

There is one for X itself, one for each endpoint and one for each account; `evidence` says when one trips.
While it is open, nothing that needs it is sent: requests wait, as for a rate window, and a call on a lease
that is held already fails at once. After a while it is half open: the next lease that needs it is on trial,
or the next call on one that is held. Its outcome closes the circuit, or opens it for longer. A trial that
ends without an outcome (cancelled, never called, cut short by its caller) leaves it half open for the next.

An endpoint that X refuses to know as this library sends it is out of date: there is no use in waiting for
that, so requests are refused, and a trial is made every few minutes.

Only an account's own circuit bars that account.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from twikit_pool.accounts.model import AccountState
from twikit_pool.clock import Clock, wall_time
from twikit_pool.errors import LibraryOutOfDate
from twikit_pool.events import CircuitClosed, CircuitHalfOpened, CircuitOpened, ManyTurnedStale
from twikit_pool.pool.circuit import HALF_OPEN, ON_TRIAL, OPEN, PAUSES, Circuit, CircuitInfo, Trial
from twikit_pool.pool.connection import ConnectionState, PooledTwikitConnection
from twikit_pool.pool.evidence import BURST, Evidence, Fault, Kind
from twikit_pool.pool.member import Bar, Member
from twikit_pool.pool.needs import USABLE, need_of
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Verdict, call_held_back

if TYPE_CHECKING:
    import random

    from twikit_pool.pool.lifecycle import Lifecycle
    from twikit_pool.pool.matching import Matching

JITTER: Final = (0.8, 1.0)
"""Shares of a pause between which it is drawn, so that pools do not try again all at once."""

PATIENCE: Final = 10.0
"""Seconds in which a lease on trial must begin a call; a slower borrower leaves the trial to another."""

logger = logging.getLogger(__name__)


class Circuits:
    """The circuits of a pool.

    Args:
        matching: where what is shut is not given to anyone.
        lifecycle: closes the connections of accounts whose circuit opens.
        clock, rng: time and chance.
        publish: tells the pool's bus.
    """

    def __init__(
        self,
        matching: Matching,
        lifecycle: Lifecycle,
        *,
        clock: Clock,
        rng: random.Random,
        publish: Callable[..., None],
    ) -> None:
        self._matching = matching
        self._lifecycle = lifecycle
        self._clock = clock
        self._rng = rng
        self._publish = publish
        self._evidence = Evidence(clock.monotonic, self._in_use, lambda: matching.most)
        self._x: Circuit | None = None
        self._endpoints: dict[str, Circuit] = {}
        self._accounts: dict[Member, Circuit] = {}
        self._trials: dict[PooledTwikitConnection, Trial] = {}

    def _in_use(self, most: int) -> int:
        """How many accounts nothing speaks against, counted up to so many."""
        members = self._matching.members.values()
        well = (each for each in members if not each.bars.keys() - {Bar.ELSEWHERE})
        return sum(1 for _ in islice(well, most))

    def heed_settings(self) -> None:
        """The settings may be others now."""
        if not self._matching.config.enable_circuits:
            self._evidence.forget()
            for circuit in list(self._all()):
                self._close(circuit)

    def forget(self, member: Member) -> None:
        """An account is let go."""
        self._evidence.forget_account(member.id)
        circuit = self._accounts.get(member)
        if circuit is not None:
            self._close(circuit)

    # ------------------------------------------------------------ before a call

    def admit(self, connection: PooledTwikitConnection, name: str, endpoint: str | None) -> Trial | None:
        """Let a call go on a connection that is leased, or fail it when a circuit holds it back.

        Returns:
            The trial that it is, if it is one: to be given to `heard`, and to `ended` in any case.

        Raises:
            CallFailed: it must wait; nothing was sent, and the verdict is `held_back`.
            LibraryOutOfDate: the library is out of date for this endpoint.
        """
        need = need_of(endpoint)
        trial, now = self._trials.get(connection), self._clock.monotonic()
        for circuit in self._needed(connection.member, need):
            if circuit.state is OPEN or (circuit.state is ON_TRIAL and circuit.trial is not trial):
                if circuit.kind is Kind.LIBRARY:
                    raise LibraryOutOfDate(circuit.told(now))
                verdict = call_held_back(f"{circuit.told(now)}; nothing was sent", endpoint)
                raise CallFailed(connection.account_id, name, verdict)
        trial = self._begin(connection, need)
        for circuit in trial.circuits if trial is not None else ():
            self._forget_deadline(circuit)  # from here on the call's own deadline ends it
        return trial

    def _needed(self, member: Member, need: int) -> Iterator[Circuit]:
        """The circuits that are not closed and that this need of this account depends on."""
        if self._x is not None:
            yield self._x
        account = self._accounts.get(member)
        if account is not None:
            yield account
        for circuit in self._endpoints.values():
            if circuit.bit & need:
                yield circuit

    def _begin(self, connection: PooledTwikitConnection, need: int) -> Trial | None:
        """Try what is half open; the trial that the connection is on by now, if any."""
        for circuit in list(self._needed(connection.member, need)):
            if circuit.state is HALF_OPEN:
                trial = self._trials.get(connection)
                if trial is None:
                    trial = self._trials[connection] = Trial(connection)
                trial.circuits.append(circuit)
                circuit.state, circuit.trial = ON_TRIAL, trial
                circuit.deadline = self._matching.deadlines.add(
                    self._clock.monotonic() + PATIENCE, partial(self._free, circuit)
                )
                self._shut(circuit)
        return self._trials.get(connection)

    # ------------------------------------------------------------ what the matching tells and asks

    def begun(self, connection: PooledTwikitConnection) -> None:
        """A connection has just been leased."""
        request = connection.request
        assert request is not None  # noqa: S101 - for the type checker: it is leased for one
        self._begin(connection, request.need)

    def returned(self, connection: PooledTwikitConnection) -> None:
        """A lease has just ended."""
        trial = self._trials.get(connection)
        if trial is not None:
            self.ended(trial)

    def refusal(self, need: int) -> LibraryOutOfDate | None:
        """The error for a request that there is no use in waiting with."""
        now = self._clock.monotonic()
        for circuit in self._endpoints.values():
            if circuit.kind is Kind.LIBRARY and circuit.bit & need and circuit.state is not HALF_OPEN:
                return LibraryOutOfDate(circuit.told(now))
        return None

    def tried(self, need: int) -> Mapping[str, int] | None:
        """Tries that have failed, by account, when the next lease with this need is a try; else None."""
        if self._x is not None and self._x.state is HALF_OPEN:
            return self._x.tried
        for circuit in self._endpoints.values():
            if circuit.bit & need and circuit.state is HALF_OPEN:
                return circuit.tried
        return None

    def notice(self, need: int) -> str:
        """What holds back those with this need, in words; "" when nothing does."""
        now = self._clock.monotonic()
        return "; ".join(each.told(now) for each in self._all() if each.bit & need)

    # ------------------------------------------------------------ after a call

    def heard(
        self,
        connection: PooledTwikitConnection,
        endpoint: str | None,
        verdict: Verdict,
        began: float,
        trial: Trial | None,
    ) -> None:
        """A call that was admitted has ended so. `endpoint` is the one that it was for.

        What says nothing about X is not to be told: a call that its caller has cut short, say.
        """
        gone = connection.state is ConnectionState.CLOSED  # it failed because the pool took it back
        if verdict.held_back or gone or not self._matching.config.enable_circuits:
            return
        if verdict.outcome is Outcome.TRANSIENT:
            self._failed(connection.member, endpoint, verdict, began, trial)
        elif verdict.outcome is Outcome.OK or verdict.status is not None:
            self._answered(connection.member, endpoint, verdict, trial)

    def _answered(self, member: Member, endpoint: str | None, verdict: Verdict, trial: Trial | None) -> None:
        works = verdict.outcome in (Outcome.OK, Outcome.CALLER_FAULT)
        self._evidence.answered(member.id, endpoint, works=works)
        for circuit in (self._x, self._accounts.get(member)):
            if circuit is not None:
                self._close(circuit)
        circuit = None if endpoint is None else self._endpoints.get(endpoint)
        if circuit is not None and works:
            self._close(circuit)
        elif trial is not None and circuit in trial.circuits and verdict.outcome is Outcome.LIBRARY_STALE:
            self._open_again(circuit)
        if verdict.bench is AccountState.STALE:
            self._turned_stale(member)

    def _turned_stale(self, member: Member) -> None:
        incident = self._evidence.turned_stale(member.id)
        if incident:
            logger.warning(
                "X refused the cookies of %s within %g s and served nobody meanwhile: it may be X's own "
                "fault; check the accounts again before you replace their cookies",
                ", ".join(incident),
                BURST,
            )
            self._publish(ManyTurnedStale, account_ids=incident, seconds=BURST)

    def _failed(
        self,
        member: Member,
        endpoint: str | None,
        verdict: Verdict,
        began: float,
        trial: Trial | None,
    ) -> None:
        for circuit in list(trial.circuits) if trial is not None else ():
            if circuit is self._x or circuit.member is not None or circuit.name == endpoint:
                self._open_again(circuit)
        known = self._x is not None or member in self._accounts
        gone = self._matching.members.get(member.id) is not member
        if known or gone or (verdict.connected and endpoint in self._endpoints):
            return  # it says nothing new
        fault = self._evidence.failed(member.id, endpoint, verdict, began)
        if fault is not None:
            self._trip(fault, member)

    def out_of_date(self, member: Member, endpoint: str, verdict: Verdict, accounts: int) -> None:
        """X does not know this endpoint as it was asked for, as it has told so many accounts by now."""
        known = self._endpoints.get(endpoint)
        if self._matching.config.enable_circuits and (known is None or known.kind is not Kind.LIBRARY):
            fault = self._evidence.refused(member.id, endpoint, verdict, accounts)
            if fault is not None:
                self._trip(fault, member)

    def ended(self, trial: Trial) -> None:
        """A trial is over. What it has brought no outcome for can be tried by the next one."""
        for circuit in list(trial.circuits):
            self._free(circuit)

    # ------------------------------------------------------------ from one state to the next

    def _trip(self, fault: Fault, member: Member) -> None:
        circuit = Circuit(fault, self._clock.monotonic(), member if fault.kind is Kind.ACCOUNT else None)
        if fault.kind is Kind.X:
            self._x = circuit
        elif fault.kind is Kind.ACCOUNT:
            self._accounts[member] = circuit
        else:
            before = self._endpoints.get(fault.name)
            if before is not None:  # it was broken, and turns out to be out of date
                self._forget_deadline(before)
                self._off_trial(before)
            self._endpoints[fault.name] = circuit
        self._open(circuit)

    def _open_again(self, circuit: Circuit) -> None:
        if circuit.trial is not None:
            self._let_another_try(circuit, circuit.trial.connection)
        self._off_trial(circuit)
        circuit.failures += 1
        circuit.pause = min(circuit.pause * 2, PAUSES[circuit.kind][1])
        self._open(circuit)

    def _let_another_try(self, circuit: Circuit, connection: PooledTwikitConnection) -> None:
        """An account has failed a try. One without a connection gets its place: those may be well."""
        tried, account_id = circuit.tried, connection.account_id
        tried[account_id] = tried.get(account_id, 0) + 1
        if circuit.member is not None or circuit.kind is Kind.LIBRARY or connection.reservation is not None:
            return
        spare = self._matching.spare.peek(USABLE)
        if spare is not None and tried.get(spare.id, 0) < tried[account_id]:
            why = "its try failed, and another account is to try"
            self._lifecycle.leave_to_others(connection, why, circuit.pause)

    def _open(self, circuit: Circuit) -> None:
        self._forget_deadline(circuit)
        circuit.state = OPEN
        now, seconds = self._clock.monotonic(), circuit.pause * self._rng.uniform(*JITTER)
        circuit.deadline = self._matching.deadlines.add(now + seconds, partial(self._half_open, circuit))
        reason = circuit.why(now)
        logger.warning("%s; the next try is in %.0f s", reason, seconds)
        self._publish(
            CircuitOpened, kind=circuit.kind.value, name=circuit.name, reason=reason, seconds=seconds
        )
        self._shut(circuit)
        if circuit.member is not None:
            self._lifecycle.close_barred(circuit.member)
        if circuit.kind is Kind.LIBRARY:
            self._matching.refuse_those_who_need(circuit.bit, partial(LibraryOutOfDate, circuit.told(now)))

    def _half_open(self, circuit: Circuit) -> None:
        circuit.state = HALF_OPEN
        self._forget_deadline(circuit)
        self._publish(CircuitHalfOpened, kind=circuit.kind.value, name=circuit.name)
        self._unshut(circuit)

    def _free(self, circuit: Circuit) -> None:
        """Its trial has brought nothing: whoever comes next may try."""
        self._off_trial(circuit)
        self._forget_deadline(circuit)
        circuit.state = HALF_OPEN
        self._unshut(circuit)

    def _close(self, circuit: Circuit) -> None:
        self._off_trial(circuit)
        self._forget_deadline(circuit)
        if circuit.member is not None:
            del self._accounts[circuit.member]
        elif circuit.kind is Kind.X:
            self._x = None
        else:
            del self._endpoints[circuit.name]
        seconds = self._clock.monotonic() - circuit.opened
        self._publish(CircuitClosed, kind=circuit.kind.value, name=circuit.name, seconds_open=seconds)
        self._unshut(circuit)

    def _off_trial(self, circuit: Circuit) -> None:
        trial, circuit.trial = circuit.trial, None
        if trial is not None:
            trial.circuits.remove(circuit)
            if not trial.circuits:
                del self._trials[trial.connection]

    def _forget_deadline(self, circuit: Circuit) -> None:
        if circuit.deadline is not None:
            circuit.deadline.cancel()
            circuit.deadline = None

    def _shut(self, circuit: Circuit) -> None:
        """Nobody gets what needs it any more."""
        self._matching.trials = self
        self._matching.watch(self)
        if circuit.member is None:
            self._matching.shut |= circuit.bit
        else:
            why = f"failing: {circuit.why(self._clock.monotonic())}"
            self._matching.bar(circuit.member, Bar.CIRCUIT, why)

    def _unshut(self, circuit: Circuit) -> None:
        """What needs it can be had again, once or for good."""
        if next(self._all(), None) is None:
            self._matching.trials = None
            self._matching.unwatch(self)
        if circuit.member is None and circuit.state is HALF_OPEN:
            self._matching.open_up(circuit.bit, circuit.tried)
        elif circuit.member is None:
            self._matching.open_up(circuit.bit)
        else:
            self._matching.lift(circuit.member, Bar.CIRCUIT)

    def _all(self) -> Iterator[Circuit]:
        if self._x is not None:
            yield self._x
        yield from self._endpoints.values()
        yield from self._accounts.values()

    # ------------------------------------------------------------ to look at

    @property
    def info(self) -> tuple[CircuitInfo, ...]:
        """Every circuit that is not closed."""
        now = self._clock.monotonic()
        return tuple(
            CircuitInfo(
                kind=each.kind.value,
                name=each.name,
                state=each.state.value,
                since=wall_time(self._clock, each.opened),
                failures=each.failures,
                reason=each.why(now),
                retry_in=each.retry_in(now),
            )
            for each in self._all()
        )
