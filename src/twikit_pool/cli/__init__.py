"""The command line: `twikit-pool`.

Each command lives in a module of its own, imported only when it is used, so that `--help` is quick.
Exit codes: 0 all went well, 1 something did not (the output says what), 2 the command line or a setting
is wrong, 3 some lines of a jobs file were rejected, 130 and 143 interrupted by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Final

from cyclopts import App
from rich.markup import escape

from twikit_pool.cli.courtesy import courteous
from twikit_pool.errors import ConfigError, TwikitPoolError

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

SERVICE: Final = "A running service"
"""The group of commands that ask one."""

app = App(
    name="twikit-pool",
    help="One pool for all the X (Twitter) accounts that you own.",
    help_epilogue="Settings come from flags and the environment; every page of docs/ says which.",
)
app.command("twikit_pool.cli.run:run", name="run", help="Run a file of actions over all accounts.")
app.command("twikit_pool.cli.actions:actions", name="actions", help="List the actions, or show one.")
app.command("twikit_pool.cli.accounts:app", name="accounts", help="The accounts that may be used.")
app.command("twikit_pool.cli.keys:app", name="keys", help="The key that the account store is encrypted with.")
app.command("twikit_pool.cli.serve:serve", name="serve", help="Serve pools over HTTP and WebSocket.")
app.command("twikit_pool.cli.config:app", name="config", help="The settings of the service.")
app.command("twikit_pool.cli.tokens:app", name="tokens", help="Who may use the service.")
app.command(
    "twikit_pool.cli.completion:completion", name="completion", help="Completion for bash, zsh and fish."
)
app.command("twikit_pool.cli.pools:pools", name="pools", help="The pools of a service.", group=SERVICE)
app.command("twikit_pool.cli.events:events", name="events", help="What happens in its pools.", group=SERVICE)
app.command("twikit_pool.cli.top.command:top", name="top", help="Its pools live, as htop.", group=SERVICE)
app.command(
    "twikit_pool.cli.remote:status",
    name="status",
    help="What the pools of a service are doing.",
    group=SERVICE,
)
app.command(
    "twikit_pool.cli.remote:connections", name="connections", help="The connections of a pool.", group=SERVICE
)
app.command("twikit_pool.cli.remote:explain", name="explain", help="Why a request would wait.", group=SERVICE)
app.command(
    "twikit_pool.cli.remote:reserve", name="reserve", help="Keep a connection for an owner.", group=SERVICE
)
app.command("twikit_pool.cli.remote:release", name="release", help="End a reservation.", group=SERVICE)
app.command("twikit_pool.cli.remote:stop", name="stop", help="Make an emergency stop.", group=SERVICE)
app.command(
    "twikit_pool.cli.remote:resume", name="resume", help="Let a pool serve everyone again.", group=SERVICE
)
app.command(
    "twikit_pool.cli.reviews:app", name="reviews", help="Posts that wait for a person.", group=SERVICE
)
app.command(
    "twikit_pool.cli.check_post:check_post", name="check-post", help="What the content filter says of a post."
)
app.command(
    "twikit_pool.cli.alerts:app", name="alerts", help="What is wrong, and who is told.", group=SERVICE
)
app.command(
    "twikit_pool.cli.report:report", name="report", help="What pools did, and what should be changed."
)
app.command(
    "twikit_pool.cli.jobs:app", name="jobs", help="Batches of jobs that a service carries out.", group=SERVICE
)
app.command("twikit_pool.cli.simulate:simulate", name="simulate", help="Serve a local stand-in for X.")


def main() -> None:
    """Run the command line and exit with its code."""
    stdout: object = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    try:
        code = app(result_action="return_value")
    except TwikitPoolError as error:
        _complain(error)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)
    except OSError as error:
        _complain(error)
        courteous(sys.stdout).file.flush()
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: Exception) -> None:
    screen = courteous(sys.stderr, stderr=True)
    screen.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
