"""Git: objects are read and written with libgit2, remotes are spoken to by the git program.

What lives here: the local object database (``GitObjects``) and the shared repository (``Remote``). What
never does: a checkout, a work tree, a decision. Called by: ``app``.
"""

from distributor.adapters.git.objects import PygitObjects
from distributor.adapters.git.remote import GitRemote, shown
from distributor.adapters.git.split import SplitRemote
from distributor.adapters.git.view import Seen, make_view

__all__ = ["GitRemote", "PygitObjects", "Seen", "SplitRemote", "make_view", "shown"]
