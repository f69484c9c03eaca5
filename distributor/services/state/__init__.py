"""The state to go by: main and tags as fetched, what is accepted, what happened, and who waits.

What lives here: reading it, as snapshots. What never does: changing it. Called by: rollouts,
promotion, and whoever asks.
"""
