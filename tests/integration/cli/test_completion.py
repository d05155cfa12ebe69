"""`twikit-pool completion`: what shells make of the scripts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Program

ASK = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE="${COMP_WORDS[*]}"
COMP_POINT=${#COMP_LINE}
command=$(complete -p twikit-pool)
[[ $command =~ -F[[:space:]]([^[:space:]]+) ]] || exit 3
"${BASH_REMATCH[1]}" twikit-pool "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when Tab is pressed after these words."""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {shell: tmp_path_factory.mktemp("completion") / shell for shell in ("bash", "zsh", "fish")}


def written(program: Program, file: Path, shell: str) -> Path:
    ended = program("completion", shell)
    assert ended.returncode == 0, ended.stderr
    file.write_text(ended.stdout)
    return file


def test_bash_completes_commands_and_options(program: Program, script: dict[str, Path]) -> None:
    file = written(program, script["bash"], "bash")

    def completed(*words: str) -> set[str]:
        ended = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", str(file), "twikit-pool", *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return set(ended.stdout.split())

    assert completed("s") == {"status", "stop", "serve", "simulate"}
    assert {"top", "pools", "events", "completion"} <= completed("")
    assert completed("tokens", "") == {"create", "list", "revoke"}
    assert completed("tokens", "create", "me", "--sc") == {"--scope"}
    assert completed("tokens", "create", "me", "--scope", "o") == {"operate"}
    assert "scaling" in completed("events", "--topic", "")
    assert completed("events", "--fol") == {"--follow"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_theirs(program: Program, script: dict[str, Path], shell: str) -> None:
    file = written(program, script[shell], shell)
    assert "events" in file.read_text()
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its script is not tried")
    subprocess.run([shell, "-n", str(file)], check=True, timeout=30)


def test_fish_completes_commands(program: Program, script: dict[str, Path]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed: its script is not tried")
    file = written(program, script["fish"], "fish")
    asked = f"source {file}; complete -C 'twikit-pool ev'"
    told = subprocess.run(["fish", "-c", asked], capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.startswith("events")


ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT=; cd $1; autoload -Uz compinit; $2"
zpty -w -n shell $'twikit-pool ev\\t'
zpty -r -m shell screen '*twikit-pool events*'
print -r -- $screen
"""
"""An interactive zsh in which Tab is pressed."""


@pytest.mark.parametrize(
    "installed", ["fpath+=$PWD; compinit -u -d dump", "compinit -u -d dump; source ./_twikit-pool"]
)
def test_zsh_completes_commands(program: Program, tmp_path: Path, installed: str) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed: its script is not tried")
    written(program, tmp_path / "_twikit-pool", "zsh")
    told = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", str(tmp_path), installed],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "twikit-pool events" in told.stdout, told.stderr


def test_another_shell_is_refused(program: Program) -> None:
    ended = program("completion", "tcsh")
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
