"""The render engine: a small Go program that renders kustomizations, Helm charts and manifests.

What lives here: the engine's Go module with its tests, and the build hook that compiles it into ``bin/``.
What never does: Python that renders, or anything that talks to the running engine (that is
``adapters/engine``). Called by: the wheel build, which runs ``hatch_build``; nobody imports this room.
"""
