"""Services: the use cases. They read through ports, let the pure rooms decide, and carry the plan out.

What lives here: looking, deciding, rendering, reconciling, rolling out, views, audits. What never does:
rules (they live below ``ports``), adapters, parsing of input. Called by: cli and api, through ``app``.
"""
