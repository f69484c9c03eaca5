"""The HTTP surface: reads what the services know, takes push hints, and says how the process is.

What lives here: routes, their answers' shapes, problem documents, the doors (host, size, signature), the
server. What never does: decisions, rules, writes to Git or clusters. Imports of it stand where a server is
started, so that commands do without. Called by: ``cli`` and, over HTTP, people, forges and monitors.
"""
