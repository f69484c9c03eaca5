"""Rollouts: accepted revisions carried to all their targets, in waves, and kept there.

What lives here: which instances are at work, newcomers, what need not be looked at. What never does:
accepting anything, the work on a single target. Called by: the service.
"""
