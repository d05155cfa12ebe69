from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.jobs import Job
from twikit_pool.jobs.lanes import Lanes
from twikit_pool.pool import ConnectionPriority
from twikit_pool.sessions.actions import GetNotifications, GetTimeline, LikeTweet


def like(job_id: str, account: str | None = None, priority: int = 2) -> Job:
    return Job(
        id=job_id, action=LikeTweet(tweet_id="20"), account=account, priority=ConnectionPriority(priority)
    )


def test_a_named_account_gets_one_job_of_a_kind_at_once() -> None:
    lanes = Lanes(accounts=3)
    first, second = like("1", "a"), like("2", "a")
    assert lanes.enter(first)
    assert not lanes.enter(second)
    assert len(lanes) == 1
    assert lanes.leave(first) is second
    assert lanes.leave(second) is None


def test_others_pass_those_who_wait_for_one_account() -> None:
    lanes = Lanes(accounts=3)
    assert lanes.enter(like("1", "a"))
    assert not any(lanes.enter(like(f"behind-{number}", "a")) for number in range(1000))
    assert lanes.enter(like("other account", "b"))
    assert lanes.enter(like("more urgent", "a", priority=5))
    assert lanes.enter(Job(id="other endpoint", action=GetTimeline(), account="a"))
    assert lanes.enter(Job(id="other tab", action=GetNotifications(kind="Mentions"), account="a"))
    assert [lanes.enter(like(f"anyone-{number}")) for number in range(4)] == [True, True, True, False]


def test_without_accounts_one_job_finds_that_out() -> None:
    assert Lanes(accounts=0).enter(like("1"))


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", None]), st.integers(1, 2)), max_size=60),
    st.integers(1, 3),
)
def test_every_job_starts_once_in_order_and_no_place_stays_free(
    steps: list[tuple[bool, str | None, int]], accounts: int
) -> None:
    lanes = Lanes(accounts)
    running: list[Job] = []
    started: list[str] = []
    entered: list[Job] = []
    for number, (arrives, account, priority) in enumerate(steps):
        if arrives or not running:
            job = like(str(number), account, priority)
            entered.append(job)
            if lanes.enter(job):
                running.append(job)
                started.append(job.id)
        else:
            following = lanes.leave(running.pop(0))
            if following is not None:
                running.append(following)
                started.append(following.id)
        waiting = [job for job in entered if job.id not in started]
        assert len(lanes) == len(waiting)
        for job in waiting:
            held = [each for each in running if (each.account, each.priority) == (job.account, job.priority)]
            assert len(held) == (1 if job.account else accounts)
    for account in ("a", "b", None):
        for priority in (1, 2):
            lane = [job.id for job in entered if (job.account, job.priority) == (account, priority)]
            assert [each for each in started if each in lane] == lane[
                : len([e for e in started if e in lane])
            ]


def test_sending_home_leaves_nobody_waiting() -> None:
    lanes = Lanes(accounts=1)
    first = like("1")
    lanes.enter(first)
    lanes.enter(like("2"))
    lanes.send_home()
    assert len(lanes) == 0
    assert lanes.leave(first) is None
