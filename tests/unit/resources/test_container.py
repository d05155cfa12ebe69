from __future__ import annotations

import os
from pathlib import Path

import pytest

from twikit_pool.resources import ContainerLimits, container_limits
from twikit_pool.resources.container import UNBOUNDED, usable_cores

NONE_V1 = "9223372036854771712\n"
"""What version 1 shows where there is no limit."""


def system(root: Path, groups: str | bytes, **files: str | bytes) -> Path:
    """A fake root: the process's groups, and files below `/sys/fs/cgroup`."""
    told = root / "proc/self/cgroup"
    told.parent.mkdir(parents=True)
    told.write_bytes(groups if isinstance(groups, bytes) else groups.encode())
    for name, text in files.items():
        write(root, name, text)
    return root


def write(root: Path, name: str, text: str | bytes) -> None:
    file = root / "sys/fs/cgroup" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_without_control_groups_there_is_no_bound(tmp_path: Path) -> None:
    assert container_limits(tmp_path) == ContainerLimits()
    assert container_limits(system(tmp_path, "")) == ContainerLimits()


def test_a_container_of_version_2_sees_its_own_bounds(tmp_path: Path) -> None:
    files = {
        "memory.max": "536870912\n",
        "memory.high": "max\n",
        "cpu.max": "150000 100000\n",
        "memory.pressure": "some avg10=12.50 avg60=3.00 avg300=0.10 total=99\nfull avg10=90.00 avg60=0.00\n",
    }
    limits = container_limits(system(tmp_path, "0::/\n", **files))
    assert limits == ContainerLimits(memory=536_870_912, cpu=1.5, memory_pressure=0.125)


def test_the_memory_from_which_on_the_kernel_slows_it_down_is_a_bound(tmp_path: Path) -> None:
    system(tmp_path, "0::/\n", **{"memory.max": "2000", "memory.high": "1000"})
    assert container_limits(tmp_path).memory == 1000


def test_of_nested_groups_the_tightest_holds(tmp_path: Path) -> None:
    files = {
        "a/memory.max": "1000",
        "a/cpu.max": "max 100000",
        "a/b/memory.max": "max",
        "a/b/cpu.max": "200000 100000",
        "a/b/c/memory.max": "3000",
        "a/b/c/cpu.max": "300000 100000",
        "a/b/c/memory.pressure": "some avg10=1.00 avg60=0 avg300=0 total=0",
        "a/memory.pressure": "some avg10=50.00 avg60=0 avg300=0 total=0",
        "other/memory.max": "5",
    }
    limits = container_limits(system(tmp_path, "0::/a/b/c\n", **files))
    assert limits == ContainerLimits(memory=1000, cpu=2.0, memory_pressure=0.01)


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
def test_version_1_has_a_hierarchy_for_each_controller(tmp_path: Path, folder: str) -> None:
    files = {
        "memory/job/memory.limit_in_bytes": "400",
        "memory/memory.limit_in_bytes": NONE_V1,
        f"{folder}/box/cpu.cfs_quota_us": "50000\n",
        f"{folder}/box/cpu.cfs_period_us": "100000\n",
        f"{folder}/cpu.cfs_quota_us": "-1\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
        "pids/job/memory.limit_in_bytes": "1",
    }
    groups = "5:pids:/job\n4:cpu,cpuacct:/box\n3:memory:/job\n1:name=systemd:/job\n"
    assert container_limits(system(tmp_path, groups, **files)) == ContainerLimits(memory=400, cpu=0.5)


def test_no_bound_of_version_1_is_none(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": NONE_V1,
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
    }
    assert int(NONE_V1) >= UNBOUNDED
    assert container_limits(system(tmp_path, "2:memory:/\n1:cpu:/\n", **files)) == ContainerLimits()


def test_a_hybrid_has_its_bounds_in_version_1_and_its_pressure_in_version_2(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": "1000",
        "unified/job/memory.pressure": "some avg10=3.00 avg60=0.00 avg300=0.00 total=1",
    }
    limits = container_limits(system(tmp_path, "4:memory:/job\n0::/job\n", **files))
    assert limits == ContainerLimits(memory=1000, memory_pressure=0.03)


@pytest.mark.parametrize(
    "path", ["/docker/0123abc", "/docker/0123abc (deleted)", "/../docker", "/../../a/..", "/" + "x" * 5000]
)
def test_where_the_path_begins_outside_of_the_mount_its_root_is_the_containers(
    tmp_path: Path, path: str
) -> None:
    files = {
        "memory/memory.limit_in_bytes": "1000",
        "memory/docker/memory.limit_in_bytes": "7",  # one that was made inside, of the same name
        "memory/docker/inner/memory.limit_in_bytes": "5",
        "memory.max": "900",
        "docker/memory.max": "8",
    }
    system(tmp_path, f"4:memory:{path}\n0::{path}\n", **files)
    assert container_limits(tmp_path).memory == 900


@pytest.mark.parametrize(
    "text",
    [
        *("", "max", "-1", "max 100000", "100000", "0 100000", "100000 0", "100000 -5"),
        *("1e5 100000", "² ²", "a b c", "1 2 3", "\0", "9" * 400 + " 100000", "100000 " + "9" * 400),
    ],
)
def test_a_cpu_bound_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    assert container_limits(system(tmp_path, "0::/\n", **{"cpu.max": text})) == ContainerLimits()


@pytest.mark.parametrize("period", ["0", "", "max", "-100000"])
def test_a_period_that_makes_no_sense_is_no_bound_in_version_1(tmp_path: Path, period: str) -> None:
    files = {"cpu/cpu.cfs_quota_us": "5000", "cpu/cpu.cfs_period_us": period}
    assert container_limits(system(tmp_path, "1:cpu:/\n", **files)) == ContainerLimits()


@pytest.mark.parametrize(
    "text", [b"", b"max", b"-1", b"12 MB", b"1.5", b"\xff\xfe", "²".encode(), b"9" * 400]
)
def test_a_memory_bound_that_makes_no_sense_is_none(tmp_path: Path, text: bytes) -> None:
    assert container_limits(system(tmp_path, "0::/\n", **{"memory.max": text})) == ContainerLimits()


def test_a_bound_of_no_memory_at_all_is_a_bound(tmp_path: Path) -> None:
    assert container_limits(system(tmp_path, "0::/\n", **{"memory.max": "0"})).memory == 0


@pytest.mark.parametrize(
    "text", ["", "some", "some avg10=", "some avg10= avg60=1", "some avg10=nan avg60=1", "full avg10=5.0 a=1"]
)
def test_a_pressure_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    assert container_limits(system(tmp_path, "0::/\n", **{"memory.pressure": text})) == ContainerLimits()


@pytest.mark.parametrize("groups", ["garbage", "0", "0:", "::", ":::::", "0::\n\n\n", "\x1c0::/", "7:memory"])
def test_groups_that_make_no_sense_do_no_harm(tmp_path: Path, groups: str) -> None:
    assert container_limits(system(tmp_path, groups, **{"a/memory.max": "5"})).memory is None


def test_a_group_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    system(tmp_path, b"0::/caf\xe9\n", **{"memory.max": "2000"})
    write(tmp_path, os.fsdecode(b"caf\xe9/memory.max"), "1000")
    assert container_limits(tmp_path).memory == 1000


def test_files_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    system(tmp_path, "0::/a\n", **{"memory.max": "2000"})
    (tmp_path / "sys/fs/cgroup/a/memory.max").mkdir(parents=True)  # not even root reads a folder
    assert container_limits(tmp_path).memory == 2000


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_files_and_folders_that_are_not_ours_to_read_are_passed_over(tmp_path: Path) -> None:
    system(tmp_path, "0::/a/b\n", **{"memory.max": "2000", "a/b/memory.max": "1"})
    (tmp_path / "sys/fs/cgroup/a").chmod(0)
    try:
        assert container_limits(tmp_path).memory == 2000
    finally:
        (tmp_path / "sys/fs/cgroup/a").chmod(0o700)


def test_there_is_a_core_to_run_on() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
