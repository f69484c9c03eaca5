"""Asking: what people and machines ask of the service, one use case a file.

What lives here: requests as tags, plans, views, history, drift, dry runs, audits. What never does:
anything that must go on by itself. Called by: cli and api.
"""
