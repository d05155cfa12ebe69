"""What connections cost: memory, CPU and network; and what is done about it."""

from __future__ import annotations

from twikit_pool.resources.ceiling import ContainerCeiling
from twikit_pool.resources.container import ContainerLimits, container_limits
from twikit_pool.resources.figures import ConnectionFigures, ProcessFigures, Usage
from twikit_pool.resources.monitor import ResourceMonitor
from twikit_pool.resources.optimizer import ResourceOptimizer
from twikit_pool.resources.process import MeasuredProcess
from twikit_pool.resources.result import OptimizationAction, ResourceOptimizationResult

__all__ = [
    "ConnectionFigures",
    "ContainerCeiling",
    "ContainerLimits",
    "MeasuredProcess",
    "OptimizationAction",
    "ProcessFigures",
    "ResourceMonitor",
    "ResourceOptimizationResult",
    "ResourceOptimizer",
    "Usage",
    "container_limits",
]
