from __future__ import annotations

import errno
import os
from pathlib import Path

import psutil
import pytest

from twikit_pool.resources.figures import ProcessFigures
from twikit_pool.resources.process import OwnProcess


def figures(root: Path) -> ProcessFigures:
    return OwnProcess(root).figures(cpu=0.5, unattributed_cpu=0.25, loop_lag=0.1)


def bounded(root: Path, **files: str) -> Path:
    for name, text in {"proc/self/cgroup": "0::/\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_it_tells_what_the_system_tells_and_what_it_was_told(tmp_path: Path) -> None:
    found = figures(tmp_path)
    assert found.memory is not None
    assert 5 * 2**20 < found.memory < psutil.virtual_memory().total
    assert (found.cpu, found.unattributed_cpu, found.loop_lag) == (0.5, 0.25, 0.1)
    assert (found.descriptors or 0) > 0
    assert found.memory_pressure is None


def test_without_a_container_the_machine_is_the_bound(tmp_path: Path) -> None:
    found = figures(tmp_path)
    assert found.memory_limit == psutil.virtual_memory().total
    assert found.cpu_limit is not None
    assert 1 <= found.cpu_limit <= (os.cpu_count() or 1)


def test_the_tighter_of_container_and_machine_holds(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": str(2**30), "sys/fs/cgroup/cpu.max": "50000 100000"}
    found = figures(bounded(tmp_path / "tight", **files))
    assert (found.memory_limit, found.cpu_limit) == (2**30, 0.5)
    files = {"sys/fs/cgroup/memory.max": str(2**55), "sys/fs/cgroup/cpu.max": "90000000 1000"}
    assert figures(bounded(tmp_path / "wide", **files)).memory_limit == psutil.virtual_memory().total
    assert (figures(tmp_path / "wide").cpu_limit or 0) <= (os.cpu_count() or 1)


def test_a_bound_of_no_memory_is_none_that_is_missing(tmp_path: Path) -> None:
    assert figures(bounded(tmp_path, **{"sys/fs/cgroup/memory.max": "0"})).memory_limit == 0


def test_a_bound_that_is_changed_is_seen(tmp_path: Path) -> None:
    process = OwnProcess(bounded(tmp_path, **{"sys/fs/cgroup/memory.max": "1000"}))
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("2000")
    assert process.figures(cpu=None, unattributed_cpu=None, loop_lag=0.0).memory_limit == 2000


@pytest.mark.parametrize(
    "error", [psutil.AccessDenied(), psutil.NoSuchProcess(1), OSError(errno.EMFILE, "too many open files")]
)
def test_what_the_system_does_not_tell_is_none(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: psutil.Process) -> None:
        raise error

    monkeypatch.setattr(psutil.Process, "memory_info", refuse)
    monkeypatch.setattr(psutil.Process, "num_fds" if psutil.POSIX else "num_handles", refuse)
    found = figures(tmp_path)
    assert (found.memory, found.descriptors) == (None, None)
    assert found.memory_limit is not None


def test_its_clocks_run_with_what_is_done(tmp_path: Path) -> None:
    process = OwnProcess(tmp_path)
    before, thread_before = process.cpu(), process.thread_cpu()
    while process.thread_cpu() < thread_before + 0.01:
        pass
    assert process.cpu() - before >= 0.009
