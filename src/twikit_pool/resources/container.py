"""What the container lets the process have: the bounds of Linux control groups, versions 1 and 2.

`/proc/self/cgroup` names the process's group in each hierarchy. The bounds of all groups above hold as
well, so the tightest on the way up counts. Inside a container the path often begins outside of what is
mounted there, and the mount's own root is the container's group: where the path leads nowhere, the root's
bounds alone are read, and no group that happens to bear one of the names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path, PurePosixPath
from typing import Final

UNBOUNDED: Final = 1 << 60
"""Bytes from which on a limit of version 1 means none: it shows "none" as the largest multiple of a page."""

BOUNDING: Final = frozenset({"memory", "cpu"})
"""The controllers of version 1 whose bounds are read."""

PRESSURE: Final = re.compile(r"some avg10=(\d+\.?\d*) ", re.ASCII)

V2_MOUNTS: Final = ("", "unified")
"""Where version 2 is below `/sys/fs/cgroup`: alone, or beside version 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLimits:
    """Bounds of the control groups; None where there is none, and on systems without them.

    Attributes:
        memory: bytes.
        cpu: cores, as the quota divided by its period.
        memory_pressure: share of the last ten seconds in which something in the group waited for memory;
            version 2 alone tells it.
    """

    memory: int | None = None
    cpu: float | None = None
    memory_pressure: float | None = None


def container_limits(root: Path = Path("/")) -> ContainerLimits:
    """The bounds as they are now; some small files are read.

    Args:
        root: where `proc` and `sys` are.
    """
    groups = list(_groups(root))
    memory = [*_numbers(groups, "memory.max"), *_numbers(groups, "memory.high")]
    memory += _numbers(groups, "memory.limit_in_bytes")
    cpu = [quota for group in groups for read in (_quota_v2, _quota_v1) for quota in read(group)]
    return ContainerLimits(
        memory=min((int(each) for each in memory if each < UNBOUNDED), default=None),
        cpu=min(cpu, default=None),
        memory_pressure=next((share for group in groups for share in _pressure(group)), None),
    )


def usable_cores() -> int:
    """Cores that the system lets the process run on."""
    count: Callable[[], int | None] | None = getattr(os, "process_cpu_count", None)  # Python 3.13
    if count is None and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return (count or os.cpu_count)() or 1


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the process's groups, the innermost of each hierarchy first."""
    mounts = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        # 4:cpu,cpuacct:/a is found as `cpu,cpuacct` or, on other systems, as `cpu`.
        bounding = BOUNDING.intersection(controllers.split(","))
        names = V2_MOUNTS if number == "0" else (controllers, *bounding) if bounding else ()
        inner = PurePosixPath(path.lstrip("/"))
        for mount in dict.fromkeys(mounts / name for name in names):
            seen = ".." not in inner.parts and _is_folder(mount / inner)
            for group in (inner, *inner.parents) if seen else (PurePosixPath(),):
                yield mount / group


def _numbers(groups: Iterable[Path], name: str) -> Iterator[float]:
    for group in groups:
        yield from _number(_text(group / name))


def _number(text: str) -> Iterator[float]:
    """The number that a file holds; nothing for `max`, or where there is no file."""
    if text.strip().isdecimal():
        yield float(text)


def _quota_v2(group: Path) -> Iterator[float]:
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return _quota(quota, period)


def _quota_v1(group: Path) -> Iterator[float]:
    return _quota(_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us"))


def _quota(quota: str, period: str) -> Iterator[float]:
    for share in _number(quota):  # -1, for none, is no number here
        for whole in _number(period):
            if 0 < share < inf and 0 < whole < inf:  # the kernel lets nobody set 0
                yield share / whole


def _pressure(group: Path) -> Iterator[float]:
    """From `some avg10=1.50 avg60=…`, in percent."""
    first = _text(group / "memory.pressure").partition("\n")[0]
    if found := PRESSURE.match(first):
        yield float(found[1]) / 100


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # not for us, or too long a name
        return False


def _text(file: Path) -> str:
    """What a file holds. Names of groups may be no UTF-8, and come back as they were."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # no such file, or not for us
        return ""
