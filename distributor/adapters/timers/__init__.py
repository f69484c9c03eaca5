"""Timers: APScheduler wakes the service. What never lives here: what happens then. Called by: ``app``."""

from distributor.adapters.timers.scheduler import SchedulerTimers

__all__ = ["SchedulerTimers"]
