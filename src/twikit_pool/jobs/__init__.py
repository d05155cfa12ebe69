"""Many actions from a file or a program, run over a pool, resumable."""

from twikit_pool.jobs.job import AMBIGUOUS, Job, JobError, JobResult, Rejected
from twikit_pool.jobs.reader import JobReader, read_job
from twikit_pool.jobs.rejects import RejectsFile
from twikit_pool.jobs.results import ResultsFile
from twikit_pool.jobs.runner import GRACE, WINDOW, JobRunner, run_jobs
from twikit_pool.jobs.summary import ActionSummary, Summary

__all__ = [
    "AMBIGUOUS",
    "GRACE",
    "WINDOW",
    "ActionSummary",
    "Job",
    "JobError",
    "JobReader",
    "JobResult",
    "JobRunner",
    "Rejected",
    "RejectsFile",
    "ResultsFile",
    "Summary",
    "read_job",
    "run_jobs",
]
