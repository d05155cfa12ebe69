"""Secrets that must not be published: cookies of X, tokens and keys, by their form.

Own rules come first; the plugins of detect-secrets that know a form are added where the extra `safety` is
installed. Those that judge by entropy, by keywords or by addresses are left out: they take nearly every post
for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.extra import installed, needed

OWN: Final[tuple[tuple[str, str, re.Pattern[str]], ...]] = tuple(
    (name, words, re.compile(form))
    for name, words, form in (
        ("x_cookie", "a log-in cookie of X", r"\bauth_token\b[\"']?\s*[=:]\s*[\"']?[0-9a-f]{40}\b"),
        ("x_cookie", "a cookie of X", r"\bct0\b[\"']?\s*[=:]\s*[\"']?(?:[0-9a-f]{160}|[0-9a-f]{32})\b"),
        ("x_cookie", "a session of X", r"\b_twitter_sess\b\s*[=:]\s*\S{20,}"),
        ("x_token", "a bearer token of X", r"\bA{20,}[A-Za-z0-9%]{30,}"),
        ("x_token", "an access token of X", r"\b\d{8,20}-[A-Za-z0-9]{40,50}\b"),
        ("api_token", "a token of this service", r"\btp_[0-9a-f]{8}_[\w-]{43}"),
        ("private_key", "a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        ("aws_key", "a key of AWS", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
        ("github_token", "a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})\b"),
        ("slack_token", "a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("google_key", "a key of Google", r"\bAIza[\w-]{35}(?![\w-])"),
        ("stripe_key", "a key of Stripe", r"\b[rs]k_live_[A-Za-z0-9]{20,}\b"),
        ("openai_key", "a key of OpenAI", r"\bsk-(?:proj-|svcacct-)?[\w-]{20,}T3BlbkFJ[\w-]{20,}"),
        ("anthropic_key", "a key of Anthropic", r"\bsk-ant-[a-z0-9]+-[\w-]{40,}"),
        ("jwt", "a JSON web token", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    )
)
"""Rule, words and form."""

PLUGINS: Final = (
    ("artifactory", "ArtifactoryDetector"),
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("cloudant", "CloudantDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("ibm_cos_hmac", "IbmCosHmacDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
"""Those of detect-secrets whose form is their own: module and class."""

DETECT_SECRETS: Final = "detect_secrets"


class Secrets:
    """Cookies, tokens and keys."""

    quick = True

    def __init__(self, plugins: Sequence[tuple[str, str]] | None = None) -> None:
        """`plugins` are those of detect-secrets; None takes `PLUGINS` where it is installed."""
        if plugins is None:
            plugins = PLUGINS if installed(DETECT_SECRETS) else ()
        self._forms = [*OWN, *_forms(plugins)]

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Where there are any; each place once."""
        ends = 0
        found = [
            (each.start(), each.end(), name, words)
            for name, words, form in self._forms
            for each in form.finditer(text.text)
        ]
        for start, end, name, words in sorted(found, key=lambda each: (each[0], -each[1])):
            if start >= ends and end > start:
                ends = end
                yield Sighting(
                    f"secrets.{name}",
                    f"the post has {words}",
                    "take it out, and make it worthless where it is from: it may be known already",
                    start,
                    end,
                )


def _forms(plugins: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    for module, name in plugins:
        plugin: Any = getattr(needed(f"{DETECT_SECRETS}.plugins.{module}", "looking for secrets"), name)
        for form in plugin.denylist:
            yield module, f"what looks like: {plugin.secret_type}", form
