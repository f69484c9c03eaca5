"""Services: the use cases. They read through ports, let the pure rooms decide, and carry the plan out.

From the bottom up: ``world`` (all the ports), ``ledger``, ``rendering`` and ``targets``, ``state``,
``rollouts``, ``promotion``, ``service`` (which wakes them), ``asking``. What never lives here: rules
(they live below ``ports``), adapters, parsing of input. Called by: cli and api, through ``app``.
"""
