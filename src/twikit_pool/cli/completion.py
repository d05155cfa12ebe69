"""`twikit-pool completion`: a script with which a shell completes commands and options."""

from __future__ import annotations

from typing import Literal

from twikit_pool import cli


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the script that makes a shell complete this program's commands and options.

    bash: `source <(twikit-pool completion bash)` in ~/.bashrc. fish: `twikit-pool completion fish >
    ~/.config/fish/completions/twikit-pool.fish`. zsh: into a file `_twikit-pool` of a folder in $fpath.

    Args:
        shell: which.
    """
    print(cli.app.generate_completion(shell=shell))
    return 0
