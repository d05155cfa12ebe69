"""Many actions from a file or a program, run over a pool, resumable."""

from twikit_pool.jobs.holdups import Holdups
from twikit_pool.jobs.job import AMBIGUOUS, Job, JobError, JobResult, Rejected
from twikit_pool.jobs.plan import CALL_SECONDS, EndpointPlan, Impossible, Plan, plan_of
from twikit_pool.jobs.reader import JobReader, read_job
from twikit_pool.jobs.rejects import RejectsFile
from twikit_pool.jobs.results import ResultsFile
from twikit_pool.jobs.runner import GRACE, WINDOW, JobRunner, run_jobs
from twikit_pool.jobs.summary import ActionSummary, Summary
from twikit_pool.jobs.survey import Demand, Survey, Wanted

__all__ = [
    "AMBIGUOUS",
    "CALL_SECONDS",
    "GRACE",
    "WINDOW",
    "ActionSummary",
    "Demand",
    "EndpointPlan",
    "Holdups",
    "Impossible",
    "Job",
    "JobError",
    "JobReader",
    "JobResult",
    "JobRunner",
    "Plan",
    "Rejected",
    "RejectsFile",
    "ResultsFile",
    "Summary",
    "Survey",
    "Wanted",
    "plan_of",
    "read_job",
    "run_jobs",
]
