"""Service errors, DST7xx."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Setup, Terminal


class BadSetting(Setup):
    """A setting is not what it must be."""

    code = "DST701"
    remedy = "`distributor settings` prints all settings with their origin."


class DatabaseNewer(Setup):
    """The database is newer than this program."""

    code = "DST702"
    remedy = "Upgrade Distributor, or delete the database: it is rebuilt from Git."


class StateNotWritable(Setup):
    """The state folder cannot be written."""

    code = "DST703"
    remedy = "Check space and permissions, or set state_dir."


class UnsupportedPython(Setup):
    """This Python is not supported."""

    code = "DST704"
    remedy = "Use Python 3.11 to 3.14."


class AddressInUse(Setup):
    """The address to listen on is taken."""

    code = "DST705"
    remedy = "Choose another with --port."


class NeedsAuthentication(Setup):
    """Listening beyond loopback needs authentication."""

    code = "DST706"
    remedy = "Listen on 127.0.0.1, with a proxy before it that authenticates."


class NotFound(Setup):
    """There is no such thing."""

    code = "DST707"
    remedy = "Check the name."


class BadRequest(Setup):
    """The request cannot be understood."""

    code = "DST708"
    remedy = "See the API description at /docs."


class AlreadyRunning(Retryable):
    """Another process uses this state folder."""

    code = "DST709"
    remedy = "Stop it first, or choose another state_dir."


class DatabaseFailed(Retryable):
    """The database failed."""

    code = "DST710"
    remedy = "It is retried; check the disk that holds the state folder."


class UnknownCode(Setup):
    """There is no such error code."""

    code = "DST711"
    remedy = "`distributor explain` without a code lists them all."


class NotReadable(Setup):
    """A file or folder cannot be read."""

    code = "DST714"
    remedy = "Check its name and permissions."


class NotWritable(Setup):
    """A file or folder cannot be written."""

    code = "DST715"
    remedy = "Check space and permissions; nothing was left half written."


class BadArgument(Setup):
    """An argument of the command is not what it must be."""

    code = "DST716"
    remedy = "Run the command with --help."


class NotReady(Retryable):
    """The service has not looked at the repository yet."""

    code = "DST720"
    remedy = "Wait a moment; /readyz tells when it has, or what keeps it from it."


class HintRefused(Setup):
    """A push hint is not from the forge."""

    code = "DST721"
    remedy = "Give the forge's webhook the secret that webhook_secret holds."


class HostRefused(Setup):
    """The request names a host that this service is not."""

    code = "DST722"
    remedy = "Open it as http://127.0.0.1 or http://localhost: other names may be a trap (DNS rebinding)."


class BodyTooLarge(Setup):
    """The request's body is too large."""

    code = "DST723"
    remedy = "Send less: a push hint needs no more than 1 MiB."


class MethodNotOffered(Setup):
    """The path exists, but not for this method."""

    code = "DST724"
    remedy = "See the API description at /docs; promotions are asked for with Git tags."


class Crashed(Terminal):
    """The service failed while it answered."""

    code = "DST725"
    remedy = "The log says more; what it was doing to clusters goes on."
