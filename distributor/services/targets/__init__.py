"""One target: what it holds against what it should hold, and how that is brought about.

What lives here: reconciling, hooks, health and drift of one (cluster, instance). What never does:
rollouts over many targets, verdicts. Called by: rollouts, and dry runs.
"""
