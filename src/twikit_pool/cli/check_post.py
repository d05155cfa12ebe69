"""`twikit-pool check-post`: what the content filter says of a post, without sending it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.text import Text

from twikit_pool.accounts.locations import data_folder
from twikit_pool.cli.courtesy import courteous
from twikit_pool.errors import ActionError, ConfigError
from twikit_pool.safety import ContentSafetyFilter, Decision, PostMemory, Severity
from twikit_pool.safety.filter import Planned
from twikit_pool.safety.settings import MEMORY
from twikit_pool.service.settings import load_settings
from twikit_pool.sessions.actions import PostTweet, parse_action

if TYPE_CHECKING:
    from rich.console import Console

    from twikit_pool.safety import Verdict
    from twikit_pool.safety.settings import SafetySettings

BLOCKED: Final = 1
FOR_REVIEW: Final = 4
MOST_BYTES: Final = 50_000_000
COLOURS: Final = {Severity.BLOCK: "red", Severity.REVIEW: "yellow", Severity.NOTE: "dim"}
SHOWN: Final = 60
"""Letters of a post that are shown with what is wrong with it."""


class _Line(msgspec.Struct):
    """What a line of a jobs file says that matters here."""

    action: str
    params: dict[str, object] = {}
    account: str | None = None
    id: str | None = None


async def check_post(
    post: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    account: str | None = None,
    long: Annotated[bool, Parameter(negative=())] = False,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Say whether the content filter lets a post go, and why not. Nothing is sent, and nothing remembered.

    A file is read as one post; one whose name ends in .jsonl, as jobs that are sent one after another. Posts
    are compared with those that `serve` and `run` remember on this machine.

    Exit codes: 0 it goes; 1 it is blocked; 4 a person would decide.

    Args:
        post: the text, a file, or - for standard input.
        account: who would send it; without, it is compared with what all accounts sent.
        long: an account that may post more than 280.
        config: the file of settings; ./twikit-pool.toml or your own when not given.
        json: one JSON object for each post, for programs.
    """
    settings = load_settings(file=config).settings.safety
    memory = settings.memory or data_folder() / MEMORY
    planned, names = _posts(post, account, long=long)
    remembered = PostMemory(memory if memory.exists() else None, days=settings.similar_days)
    try:
        looking = ContentSafetyFilter(settings, memory=remembered)
        verdicts = await looking.validate(planned)
    finally:
        remembered.close()
    screen = courteous(sys.stdout)
    for name, each, verdict in zip(names, planned, verdicts, strict=True):
        if json:
            told = msgspec.to_builtins(verdict) | ({"job": name} if name else {})
            print(msgspec.json.encode(told).decode())
        elif len(planned) == 1 or not verdict.allowed:
            _show(screen, name, each, verdict)
    if len(planned) > 1 and not json:
        screen.print(_summed_up(verdicts), highlight=False)
    _tell_if_off(settings)
    decisions = {each.decision for each in verdicts}
    return BLOCKED if Decision.BLOCK in decisions else FOR_REVIEW if Decision.REVIEW in decisions else 0


def _posts(given: str, account: str | None, *, long: bool) -> tuple[list[Planned], list[str]]:
    """What is to be looked at, and the name of each; empty for one post."""
    path = None if given == "-" or len(given) > 255 or "\n" in given else Path(given)
    if path is not None and path.suffix == ".jsonl" and path.is_file():
        return _jobs(path, account)
    if given == "-":
        given = sys.stdin.read()
    elif path is not None and path.is_file():
        given = _read(path)
    given = given.strip("\n")
    if not given:
        raise ConfigError("there is no text to look at")
    return [Planned(post=PostTweet(content=given, long=long), account=account)], [""]


def _jobs(path: Path, account: str | None) -> tuple[list[Planned], list[str]]:
    planned: list[Planned] = []
    names: list[str] = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            job = msgspec.json.decode(line, type=_Line)
            action = parse_action(job.action, job.params)
        except (msgspec.DecodeError, ActionError) as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None
        # Whoever comes: in a run each of these may be sent by another account.
        planned.append(Planned(post=action, account=job.account or account or f"any account ({number})"))
        names.append(job.id or f"line {number}")
    return planned, names


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} has more than {MOST_BYTES:,} bytes")
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no UTF-8 text") from None


def _show(screen: Console, name: str, planned: Planned, verdict: Verdict) -> None:
    words = {
        Decision.ALLOW: "it may go",
        Decision.REVIEW: "a person decides",
        Decision.BLOCK: "it is blocked",
    }
    whose = f"{name}: " if name else ""
    length = f", counting {verdict.observed['length']}" if "length" in verdict.observed else ""
    screen.print(Text(f"{whose}{words[verdict.decision]}{length}", "bold"), soft_wrap=True)
    for each in verdict.reasons:
        screen.print(Text(f"  {each.severity}: {each}", COLOURS[each.severity]), soft_wrap=True)
        if each.span is not None and each.field == "content" and not each.rule.startswith("secrets."):
            text = getattr(planned.post, "content", "")
            marked = text[each.span.start : each.span.end]
            shown = marked if len(marked) <= SHOWN else f"{marked[:SHOWN]}…"
            screen.print(Text(f"      {shown!r}"), soft_wrap=True)


def _summed_up(verdicts: list[Verdict]) -> str:
    blocked = sum(each.decision is Decision.BLOCK for each in verdicts)
    held = sum(each.decision is Decision.REVIEW for each in verdicts)
    return (
        f"{len(verdicts)} jobs: {len(verdicts) - blocked - held} go, {blocked} blocked, {held} for a person"
    )


def _tell_if_off(settings: SafetySettings) -> None:
    if not settings.enabled:
        courteous(sys.stderr, stderr=True).print(
            "safety.enabled is false: nothing of this happens when posting"
        )
