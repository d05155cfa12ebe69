"""`twikit-pool completion`: a script with which a shell completes commands and options."""

from __future__ import annotations

from typing import Final, Literal

from twikit_pool import cli

ZSH: Final = """
if [[ $funcstack[1] == (_twikit-pool|_cyclopts_twikit-pool) ]]; then
  _cyclopts_twikit-pool "$@"
else
  compdef _cyclopts_twikit-pool twikit-pool
fi"""
"""What cyclopts leaves out: its script does nothing when sourced, or in a file of the usual name."""


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the script that makes a shell complete this program's commands and options.

    bash: `source <(twikit-pool completion bash)` in ~/.bashrc. fish: `twikit-pool completion fish >
    ~/.config/fish/completions/twikit-pool.fish`. zsh: into a file `_twikit-pool` of a folder in $fpath, or
    `source <(twikit-pool completion zsh)` after compinit.

    Args:
        shell: which.
    """
    print(cli.app.generate_completion(shell=shell))
    if shell == "zsh":
        print(ZSH)
    return 0
