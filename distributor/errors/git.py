"""Git, forge and ledger errors, DST6xx."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Setup, Terminal


class RemoteUnreachable(Retryable):
    """The Git remote cannot be reached."""

    code = "DST601"
    remedy = "What runs stays; decisions go on when it answers."


class PushRejected(Retryable):
    """The push was refused because the remote moved on."""

    code = "DST602"
    remedy = "Nothing to do: it is decided anew on the newer state."


class NoLedger(Setup):
    """The repository has no ledger."""

    code = "DST603"
    remedy = "`distributor init --ledger` makes the genesis record; if there was one, decisions stay stopped until it is back."


class LedgerRewound(Setup):
    """The ledger does not descend from the last head that was seen."""

    code = "DST604"
    remedy = "Restore the branch from a clone, or from the mirror in the state folder; see the how-to on recovery."


class LedgerForged(Setup):
    """A ledger commit is not signed by a key that was known then."""

    code = "DST605"
    remedy = "Find out who wrote it; decisions stay stopped."


class LedgerNewer(Setup):
    """The ledger's format is newer than this program."""

    code = "DST606"
    remedy = "Upgrade Distributor."


class LedgerBroken(Setup):
    """The ledger cannot be read."""

    code = "DST607"
    remedy = "`distributor fsck` names the record; restore the branch."


class MainRewound(Setup):
    """Main was rewritten: its head does not descend from the one seen before."""

    code = "DST608"
    remedy = "Acknowledge it knowingly, or restore the branch."


class GitFailed(Terminal):
    """A Git command failed."""

    code = "DST609"
    remedy = "Read Git's message."


class NotARepository(Setup):
    """There is no Git repository here."""

    code = "DST610"
    remedy = "Name one with --repository, or run `distributor init`."


class BadKey(Setup):
    """The signing key cannot be used."""

    code = "DST611"
    remedy = "Use an unencrypted ed25519 key in OpenSSH format."


class LedgerExists(Terminal):
    """The repository has a ledger already."""

    code = "DST612"
    remedy = "Nothing was changed; a repository has one ledger."


class ObjectMissing(Terminal):
    """An object that was accepted is missing from the repository."""

    code = "DST613"
    remedy = "Fetch or restore the ledger branch: it keeps what was accepted reachable."


class TagRefused(Terminal):
    """The remote refused the tag."""

    code = "DST614"
    remedy = (
        "A tag of that name exists, or you may not push; `distributor history` shows what is there."
    )


class MainMissing(Setup):
    """The repository has no main branch."""

    code = "DST615"
    remedy = "Push a first commit, or name the branch in the settings."


class NothingToDo(Terminal):
    """The request would change nothing."""

    code = "DST616"
    remedy = "See `distributor status`."


class NotTheLedgersKey(Setup):
    """This process does not have the key that the ledger is signed with."""

    code = "DST650"
    remedy = (
        "Let `service_key` name the file of that key; `distributor history` says when it changed."
    )


class LedgerRenewed(Setup):
    """The ledger was begun anew, and nobody has confirmed that here."""

    code = "DST651"
    remedy = "Ask whoever renewed it for the id of its root; `distributor ledger confirm ROOT` then goes on from there."


class NotThatRoot(Terminal):
    """The ledger has another root than the one confirmed."""

    code = "DST652"
    remedy = "Confirm the root that whoever renewed the ledger names, in full; nothing was changed."
