"""Gates: one file each, one function each, ``evaluate(facts, view, params, now) -> GateAnswer``.

What lives here: what a single gate asks of the facts. What never does: which gates are asked, when, and
what their answers add up to (``policy.decide``). Called by: ``policy.registry`` alone.
"""
