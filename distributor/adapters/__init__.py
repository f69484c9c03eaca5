"""Adapters: one door for each outside system; they implement ``ports`` and never know each other.

What lives here: git, the render engine, caches, targets, keys, schemas, the store, the clock. What never
does: decisions. Called by: ``app`` alone, which hands them to services.
"""
