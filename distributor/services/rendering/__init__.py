"""Rendering as services use it: through the cache and the engine, bound for each cluster, secrets put in.

What lives here: what to render, when, and what becomes of failures. What never does: how content
becomes objects (``render`` and the engine). Called by: promotion, rollouts and whoever asks.
"""
