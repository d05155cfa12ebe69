"""Accounts: who may be used, what each can still do, and fresh cookies for those that need them.

Cookies and proxies come in here and go out nowhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from twikit_pool.accounts import CookieFolder, cookie_files
from twikit_pool.accounts.caps import render_caps
from twikit_pool.accounts.fields import caps_from, proxy_from
from twikit_pool.accounts.model import ACCOUNT_ID, Account, AccountState, Credentials, Standing
from twikit_pool.errors import AccountError, AccountNotFound, PoolClosed
from twikit_pool.pool.member import Bar
from twikit_pool.service.access import Caller
from twikit_pool.service.routes.endpoint_budgets import EndpointBudget, budgets_of
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Page, Text, part
from twikit_pool.service.service import Service, Serving
from twikit_pool.service.tokens import Scope
from twikit_pool.sessions import TwikitSessionManager

if TYPE_CHECKING:
    from twikit_pool.accounts.source import AccountSource
    from twikit_pool.pool import TwikitConnectionPool
    from twikit_pool.pool.member import Member

Id = Annotated[str, msgspec.Meta(pattern=f"^{ACCOUNT_ID.pattern}$", max_length=64)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Words = Annotated[tuple[Word, ...], msgspec.Meta(max_length=100)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Value = Annotated[str, msgspec.Meta(max_length=10_000)]
CookiesByName = Annotated[dict[str, Value], msgspec.Meta(min_length=1, max_length=200)]
CookieText = Annotated[str, msgspec.Meta(min_length=1, max_length=900_000)]

InState = Annotated[AccountState | None, QueryParameter(name="state")]
"""`state` itself is a word of Litestar's."""


class _Secretive(msgspec.Struct, frozen=True, kw_only=True):
    """Input that shows nothing of itself in a log or a traceback."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class FreshCookies(_Secretive, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another log-in for an account.

    Attributes:
        cookies: by name (`auth_token`, and `ct0` if there is one), or the text of a cookie file: a browser's
            JSON export, Playwright's, cookies.txt, a Cookie header.
    """

    cookies: CookiesByName | CookieText


class NewAccount(_Secretive, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to add.

    Attributes:
        id: the name it is to go by here.
        cookies: as for fresh cookies; they come in and go out nowhere.
        handle: its X handle without the @.
        proxy: the proxy that all its traffic takes, as a URL; never shown.
        tags: free words to choose accounts by.
        capabilities: what it can do beyond the ordinary (`long_posts`).
        caps: most calls in a period, by endpoint or action: `50/day`, `15/window`, `none`.
        notes: anything you want to remember; no secret, they are shown.
    """

    id: Id
    cookies: CookiesByName | CookieText
    handle: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,64}$")] | None = None
    proxy: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    tags: Words = ()
    capabilities: Words = ()
    caps: Annotated[
        dict[Word, Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=200)
    ] = {}
    notes: Annotated[str, msgspec.Meta(max_length=10_000)] = ""

    def account(self) -> Account:
        """The account itself.

        Raises:
            InvalidAccount: a cookie, the proxy or a cap is not understood.
        """
        found = _cookie_file(self.cookies)
        return Account(
            id=self.id,
            handle=self.handle,
            credentials=Credentials(cookies=found.cookies, expires=found.expires),
            proxy=proxy_from(self.proxy) if self.proxy else None,
            tags=frozenset(self.tags),
            capabilities=frozenset(self.capabilities),
            caps=caps_from(self.caps),
            notes=self.notes,
        )


class Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an account is switched off or on, for whoever finds it so."""

    reason: Reason = "by hand"


class Quarantine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, and for how many seconds, a pool is to leave an account alone."""

    reason: Reason
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """An account as one pool has it.

    Attributes:
        pool_id: which.
        usable: whether the pool may use it now.
        state: `active` if so, else why not in a word or two.
        why: why not, if so: its state, a quarantine of the pool's, a circuit, another pool.
        until: when it may be used again without anyone's doing, be it that the account's state ends or the
            pool's own quarantine; null when it may be used, or when nobody knows.
        connections: those that are open.
    """

    pool_id: str
    usable: bool
    state: str
    why: str
    until: datetime | None
    connections: tuple[str, ...]


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An account, without its secrets.

    Attributes:
        id, handle, tags, capabilities: as it was added.
        state: whether it may be used; with `reason`, X's answer as `evidence`, who said so (`by`), since
            when, and until when if it is quarantined.
        usable: whether its state lets it be used now.
        login_ends: when its cookies end, if the file that they came from told.
        pools: which pools have it, and what for.
        connections: how many are open in all of them.
        logins_today: log-ins of the last 24 hours, as X sees them.
    """

    id: str
    handle: str | None
    tags: tuple[str, ...]
    capabilities: tuple[str, ...]
    state: AccountState
    reason: str
    evidence: str
    by: str
    since: datetime | None
    until: datetime | None
    usable: bool
    login_ends: datetime | None
    pools: tuple[Membership, ...]
    connections: int
    logins_today: int


class AccountDetail(AccountInfo, frozen=True, kw_only=True):
    """One account in full, without its secrets.

    Attributes:
        caps: most calls in a period that it has of its own, by endpoint or action.
        notes: what its owner wants to remember.
        cookies: the names of its cookies; their values go out nowhere.
        has_proxy: whether its traffic takes a proxy.
        budgets: what it may still send, by endpoint, the most spent first.
    """

    caps: dict[str, str]
    notes: str
    cookies: tuple[str, ...]
    has_proxy: bool
    budgets: tuple[EndpointBudget, ...]


@runtime_checkable
class ChangeableSource(Protocol):
    """A source that accounts can be added to and removed from, as the encrypted store."""

    def add(self, account: Account) -> Awaitable[None]:
        """Keep a new account."""
        ...

    def remove(self, account_id: str) -> Awaitable[None]:
        """Forget an account."""
        ...


class Accounts(Controller):
    """The accounts of the service's source, whichever pool has them."""

    path = "/v1/accounts"
    tags = ("accounts",)

    @get(opt={"scope": Scope.READ})
    async def list_accounts(
        self,
        service: Serving,
        in_state: InState = None,
        usable: FromQuery[bool | None] = None,
        tag: Text = None,
        pool: Text = None,
        search: Text = None,
        offset: Offset = 0,
        limit: Limit = USUAL,
    ) -> Page[AccountInfo]:
        """The accounts by id: those in a state, usable or not, with a tag, of a pool, or so named.

        With a `pool`, `usable` is whether this pool may use it, and whom it leaves alone is `quarantined`.
        """
        every = await _every(service.sessions)
        members = None if pool is None else service.pool(pool).matching.members
        now = service.sessions.clock.now()
        found = [
            each
            for each in every
            if (members is None or each.id in members)
            and (in_state is None or _state(each, members) is in_state)
            and (usable is None or _usable(each, members, now) is usable)
            and (tag is None or tag in each.tags)
            and (search is None or search.casefold() in f"{each.id}\n{each.handle or ''}".casefold())
        ]
        shown = [AccountInfo(**_told(service, each)) for each in part(found, offset, limit)]
        return Page(total=len(found), offset=offset, items=shown)

    @post(opt={"scope": Scope.ADMIN})
    async def add_account(self, service: Serving, data: JSONBody[NewAccount]) -> AccountDetail:
        """Add an account, where the source can. Pools that are open for it have it at once."""
        account, source = data.account(), service.sessions.source
        if not isinstance(source, ChangeableSource):
            raise _cannot(source, "added to")
        try:
            await source.account(account.id)
        except AccountNotFound:
            await source.add(account)
        else:
            raise AccountError(
                f"there is an account {account.id!r} already: give it fresh cookies, or remove it first"
            )
        await _look_anew(service)
        return await _detail(service, account.id)

    @get("/{account:str}", opt={"scope": Scope.READ})
    async def show_account(self, service: Serving, account: FromPath[str]) -> AccountDetail:
        """One account in full, with what it may still send to each endpoint."""
        return await _detail(service, account)

    @delete("/{account:str}", opt={"scope": Scope.ADMIN})
    async def remove_account(self, service: Serving, account: FromPath[str]) -> None:
        """Forget an account and its credentials, where the source can; running leases go on to their end."""
        source = service.sessions.source
        if not isinstance(source, ChangeableSource):
            await source.account(account)
            raise _cannot(source, "removed from")
        await source.remove(account)
        await _look_anew(service)

    @put("/{account:str}/cookies", opt={"scope": Scope.ADMIN})
    async def give_cookies(
        self, service: Serving, account: FromPath[str], data: JSONBody[FreshCookies]
    ) -> AccountDetail:
        """Use the account with these cookies from now on, and keep them. A new log-in heals a stale account.

        Connections with another log-in are replaced: idle ones at once, others when they come back.
        """
        await service.sessions.source.account(account)
        await service.sessions.give_cookies(account, _cookie_file(data.cookies).cookies)
        return await _detail(service, account)

    @post("/{account:str}/enable", opt={"scope": Scope.OPERATE}, status_code=200)
    async def enable(
        self,
        service: Serving,
        request: Request[Any, Caller, Any],
        account: FromPath[str],
        data: JSONBody[Why],
    ) -> AccountDetail:
        """Put an account into use again, whatever took it out."""
        await _stand(service, account, AccountState.ACTIVE, data.reason, request.auth)
        return await _detail(service, account)

    @post("/{account:str}/disable", opt={"scope": Scope.OPERATE}, status_code=200)
    async def disable(
        self,
        service: Serving,
        request: Request[Any, Caller, Any],
        account: FromPath[str],
        data: JSONBody[Why],
    ) -> AccountDetail:
        """Take an account out of use in every pool, until it is enabled: no answer of X's changes that."""
        await _stand(service, account, AccountState.DISABLED, data.reason, request.auth)
        return await _detail(service, account)


class PoolAccounts(Controller):
    """Accounts that one pool leaves alone for a while."""

    path = "/v1/pools/{pool:str}/accounts"
    tags = ("accounts",)

    @post("/{account:str}/quarantine", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def quarantine(
        self, service: Serving, pool: FromPath[str], account: FromPath[str], data: JSONBody[Quarantine]
    ) -> Membership:
        """Leave an account alone in this pool for so long; its connections close as their leases end."""
        found = service.pool(pool)
        found.quarantine(account, data.reason, data.seconds)
        return _membership(found, found.matching.members[account])

    @delete("/{account:str}/quarantine", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def end_quarantine(self, service: Serving, pool: FromPath[str], account: FromPath[str]) -> Membership:
        """Use the account in this pool again, if nothing else speaks against it."""
        found = service.pool(pool)
        found.end_quarantine(account)
        return _membership(found, found.matching.members[account])


# ------------------------------------------------------------ what is told


class Roll(NamedTuple):
    """Whom a source had when it was read last, and what it said of itself just before."""

    revision: object
    ids: Sequence[str]


_ROLLS: Final = WeakKeyDictionary[TwikitSessionManager, Roll]()


async def _every(sessions: TwikitSessionManager) -> Sequence[Account]:
    """Every account, as it is known here.

    The source is read only when it has changed, or cannot tell: to open what a store has sealed of a thousand
    accounts holds the event loop up for 40 ms.
    """
    revision, roll = await sessions.revision(), _ROLLS.get(sessions)
    if revision is not None and roll is not None and revision == roll.revision:
        return [known for each in roll.ids if (known := sessions.known(each)) is not None]
    accounts = await sessions.accounts()
    _ROLLS[sessions] = Roll(revision, [each.id for each in accounts])
    return accounts


async def _detail(service: Service, account_id: str) -> AccountDetail:
    read = await service.sessions.source.account(account_id)
    # What a pool goes by, which may be later than what its source has.
    account = service.sessions.known(account_id) or read
    return AccountDetail(
        **_told(service, account),
        caps=render_caps(account.caps),
        notes=account.notes,
        cookies=tuple(sorted(account.credentials.cookies)),
        has_proxy=account.proxy is not None,
        budgets=tuple(budgets_of(service.sessions.windows(account_id))),
    )


def _told(service: Service, account: Account) -> dict[str, Any]:
    """What `AccountInfo` has."""
    standing, sessions = account.standing, service.sessions
    members = [
        (pool, pool.matching.members[account.id])
        for pool in service.manager.pools.values()
        if account.id in pool.account_ids
    ]
    return {
        "id": account.id,
        "handle": account.handle,
        "tags": tuple(sorted(account.tags)),
        "capabilities": tuple(sorted(account.capabilities)),
        "state": standing.state,
        "reason": standing.reason,
        "evidence": standing.evidence,
        "by": standing.by,
        "since": None if standing.since == NEVER else standing.since,
        "until": standing.until,
        "usable": standing.usable(sessions.clock.now()),
        "login_ends": account.credentials.expires,
        "pools": tuple(_membership(pool, member) for pool, member in members),
        "connections": sum(len(member.connections) for _, member in members),
        "logins_today": sessions.logins.today(account.id),
    }


NEVER: Final = Standing().since
"""Since when an account is in a state of which nobody has told."""


def _state(account: Account, members: Mapping[str, Member] | None) -> AccountState:
    """Its state, or that of a pool that leaves it alone."""
    state = account.standing.state
    alone = members is not None and Bar.QUARANTINE in members[account.id].bars
    return AccountState.QUARANTINED if alone and state is AccountState.ACTIVE else state


def _usable(account: Account, members: Mapping[str, Member] | None, now: datetime) -> bool:
    return account.standing.usable(now) if members is None else members[account.id].usable


def _membership(pool: TwikitConnectionPool, member: Member) -> Membership:
    away = member.away(pool.matching.now())
    return Membership(
        pool_id=pool.pool_id,
        usable=member.usable,
        state=member.state,
        why=member.why_barred,
        until=pool.clock.now() + timedelta(seconds=away) if 0 < away < inf else None,
        connections=tuple(each.id for each in member.connections),
    )


# ------------------------------------------------------------ what is changed


def _cookie_file(given: dict[str, str] | str) -> cookie_files.CookieFile:
    """What was given, read.

    Raises:
        InvalidAccount: it is no cookie file, or a cookie is no plain text.
    """
    if isinstance(given, str):
        return cookie_files.parse(given)
    return cookie_files.CookieFile(
        format=cookie_files.CookieFormat.TWIKIT, cookies=cookie_files.checked(dict(given))
    )


async def _stand(service: Service, account_id: str, state: AccountState, reason: str, caller: Caller) -> None:
    """Give an account another state: in the source, where it is kept, and from there in every pool."""
    sessions = service.sessions
    standing = Standing(state=state, reason=reason, since=sessions.clock.now(), by=caller.token.name)
    # What X said is saved first, as far as it is not: it must not be saved over what a person says now.
    await sessions.accounts()
    await sessions.source.set_standing(account_id, standing)
    await sessions.accounts()


async def _look_anew(service: Service) -> None:
    """Let every pool know of accounts that have come or gone, without waiting for its own next look."""
    for pool in tuple(service.manager.pools.values()):
        try:
            await pool.refresh()
        except PoolClosed:
            continue  # it was shut down meanwhile


def _cannot(source: AccountSource, what: str) -> AccountError:
    if isinstance(source, CookieFolder):
        return AccountError(
            f"accounts cannot be {what} a folder of cookie files through the API: put a cookie file into the "
            "folder, or take one out, and the pools follow within refresh_interval"
        )
    return AccountError(
        f"accounts cannot be {what} this service's source ({type(source).__name__}): let it use the account "
        "store (`twikit-pool accounts import`)"
    )
