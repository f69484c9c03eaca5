"""Promotion: each request gets its verdict, from facts that are gathered here and gates that are asked.

What lives here: what a gate needs to know, the order of requests, calendars. What never does: the gates
themselves (``policy``), the tags' grammar (``catalog``). Called by: the service, and plans.
"""
