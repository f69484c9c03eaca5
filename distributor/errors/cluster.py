"""Cluster and target errors, DST4xx."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Setup, Terminal


class ClusterUnreachable(Retryable):
    """The cluster cannot be reached."""

    code = "DST401"
    remedy = "It owes the revision and catches up by itself; check its network and the connection setting."


class ApiRefused(Terminal):
    """The API server refused the object."""

    code = "DST402"
    remedy = "Mend the field named in the message."


class Throttled(Retryable):
    """The API server asks to slow down."""

    code = "DST403"
    remedy = "Nothing to do: it is retried when the server said."


class ServerFault(Retryable):
    """The API server failed."""

    code = "DST404"
    remedy = "It is retried; look at the API server's log if it stays."


class BrokenAnswer(Retryable):
    """The API server's answer cannot be read."""

    code = "DST405"
    remedy = "It is retried; look for a proxy in between if it stays."


class Unauthorised(Terminal):
    """The cluster does not let Distributor do this."""

    code = "DST406"
    remedy = "`distributor cluster add` prints the access rights that are needed."


class FieldConflict(Terminal):
    """Another manager owns a field that the package sets."""

    code = "DST407"
    remedy = (
        "Remove the field from the package, have its manager release it, or take it over: name the manager in "
        "the object's annotation distributor.dev/take-over."
    )


class Fenced(Terminal):
    """A newer decision has already started on this target."""

    code = "DST408"
    remedy = "Nothing to do: the newer one goes on."


class PruneGuard(Terminal):
    """A guard stopped a deletion that needs consent."""

    code = "DST409"
    remedy = (
        "Check the prune list with `distributor plan`; put the objects back, or agree for this revision with "
        "`distributor consent ENV INSTANCE`. See docs/howto/agree-to-a-deletion.md."
    )


class ForeignObject(Terminal):
    """The object exists and belongs to another owner."""

    code = "DST410"
    remedy = (
        "Rename one of the two, or hand it over: take it out of the other's package, and annotate it "
        "distributor.dev/adopt: from/INSTANCE in this one's. See docs/howto/hand-an-object-over.md."
    )


class MissingKind(Retryable):
    """The cluster does not know this kind (yet)."""

    code = "DST411"
    remedy = "It is retried when the CRD appears; install what provides it."


class InventoryBroken(Terminal):
    """The target's inventory cannot be read."""

    code = "DST412"
    remedy = "Nothing is pruned until it is mended; see docs/howto/mend-an-inventory.md."


class TargetNotWritable(Retryable):
    """The target's folder cannot be written."""

    code = "DST413"
    remedy = "Check space and permissions; nothing was half written."


class UnknownConnection(Setup):
    """The cluster's connection reference has no setting."""

    code = "DST414"
    remedy = "Add it under [connections] in distributor.toml; `distributor settings` shows what is there."


class ForeignLedger(Terminal):
    """The target's inventory was written under another ledger."""

    code = "DST415"
    remedy = "Find out which service owns the target; a renewed ledger must be confirmed first."


class ImmutableField(Terminal):
    """The change touches a field that cannot change."""

    code = "DST416"
    remedy = "Give the object a new name, or remove it first."


class Unsupported(Terminal):
    """This delivery mode is not supported by this program."""

    code = "DST417"
    remedy = "Use push, directory or branch."


class NotOwned(Terminal):
    """An object in the inventory is not provably this instance's: it was left as it is."""

    code = "DST418"
    remedy = (
        "What the revision no longer has is forgotten, and stays: delete it by hand if nobody needs it. Else "
        "find out who took it over."
    )


class DeletePending(Retryable):
    """An object is still being deleted."""

    code = "DST419"
    remedy = (
        "It is waited for; look at its finalizers if it stays. `distributor detach ENV INSTANCE` lets go of it once "
        "it is 30 s overdue."
    )


class PlaintextSecret(Terminal):
    """A Secret with plaintext data may not be written to this target's folder."""

    code = "DST420"
    remedy = "Use an external reference, or set plaintextSecrets: allowed on the cluster."


class HookFailed(Terminal):
    """A hook failed, and nothing after it was done."""

    code = "DST421"
    remedy = (
        "Look at its object's log; mend the package, or ask again: a later request runs it anew."
    )


class HookInTheWay(Terminal):
    """A hook cannot run, because an object of its name is there that may not be deleted."""

    code = "DST422"
    remedy = (
        "Delete the object, or add before-hook-creation to the hook's helm.sh/hook-delete-policy."
    )


class StoredVersionDropped(Terminal):
    """The definition drops a version in which objects may still be stored."""

    code = "DST423"
    remedy = (
        "Keep the version with served: false, write each object of the kind once more, take the version out "
        "of the definition's status.storedVersions, and only then drop it."
    )


class HooksNotRun(Terminal):
    """This target cannot run hooks; they are delivered with all other objects, at once."""

    code = "DST424"
    remedy = "Nothing to do if order does not matter to them; else reach the cluster by push."


class HookLeft(Terminal):
    """The object of a hook that succeeded could not be deleted, as its delete policy asks."""

    code = "DST425"
    remedy = "Look at its finalizers; it is remembered, and goes with a removal."


class Adopted(Terminal):
    """An object that was there before becomes this instance's, and will go when the instance is removed."""

    code = "DST429"
    remedy = "Take it out of the package if it is somebody's; label it helm.sh/resource-policy: keep to keep it at a removal."


class Drift(Terminal):
    """A live object is not what was applied, and drift is only reported here."""

    code = "DST440"
    remedy = (
        "Look at it with `distributor drift`; then take the change into the package, name it in its "
        "delivery.ignore, or set drift: heal on the Installation."
    )


class DriftPaused(Terminal):
    """Drift is not looked at here: what runs may differ from what was applied."""

    code = "DST441"
    remedy = "Set drift: heal or report on the Installation when the pause is over."


class NotAdopted(Terminal):
    """An object of that name is there already and is not this instance's; it was left as it is."""

    code = "DST430"
    remedy = (
        "Rename one of the two, or say that it may become this instance's: annotate it distributor.dev/adopt: "
        "existing in the package, or agree for this revision with `distributor consent ENV INSTANCE`."
    )


class LetGo(Terminal):
    """Something that was stuck was let go of, because a person asked for that."""

    code = "DST432"
    remedy = "Look after the object by hand: nobody waits for it any more."


class UsedAsItIs(Terminal):
    """A Namespace was there before and is nobody's: it is used as it is, and stays when the instance goes."""

    code = "DST431"
    remedy = "Nothing to do if that is wanted; annotate it distributor.dev/adopt: existing to make it this instance's."


class ExpressionFailed(Terminal):
    """An expression cannot be read, or not be evaluated for this object."""

    code = "DST450"
    remedy = "Mend the expression; has(object.status.x) says whether a field is there."


class OutsideNamespaces(Terminal):
    """The object lies in a namespace that the cluster's connection is not for."""

    code = "DST460"
    remedy = "Add the namespace to the connection's namespaces, and rights in it: `distributor cluster add --namespace` prints them."


class LoginFailed(ClusterUnreachable):
    """Nothing was asked of the cluster, because there are no credentials to ask with."""

    code = "DST461"
    remedy = "It is tried again; run the command of the kubeconfig's exec plugin by hand where the service runs."


class AccountNotUsed(Terminal):
    """The instance is delivered in the name of a service account, which this target cannot do."""

    code = "DST462"
    remedy = (
        "Take serviceAccount out of the Installation, or keep it off clusters without mode push."
    )


class CredentialsRefused(ClusterUnreachable):
    """The cluster refuses the credentials."""

    code = "DST470"
    remedy = "It owes the revision and catches up by itself once the kubeconfig, the token or the plugin gives newer ones."


class NotSurveyed(Retryable):
    """Some kinds cannot be listed, so it is not known in full what the lost inventory held."""

    code = "DST426"
    remedy = "It is looked through again by itself; mend what is named, such as a webhook or an API service that is down."


class NotRehearsed(Terminal):
    """The login may only look, so the API server did not say what it would make of the changes."""

    code = "DST427"
    remedy = (
        "Nothing to do if the rest is enough; to foresee refusals, plan with a login that may create and patch "
        "these kinds: nothing is kept of what it tries."
    )


class HeldByAnother(Terminal):
    """Another manager has set a field that the package sets, and nobody agreed to take it back."""

    code = "DST442"
    remedy = (
        "Leave the field to it by a rule in the package's delivery.ignore; or take it back: annotate the object "
        "distributor.dev/take-over: MANAGER in the package, or name the manager in the setting undo_managers."
    )


class Fought(Terminal):
    """A drift comes back each time that it is healed, so it is healed less and less often."""

    code = "DST443"
    remedy = "Stop what sets it again, or leave the field to it by a rule in the package's delivery.ignore."


class ChangedMeanwhile(Retryable):
    """The object was made or changed by somebody else after it was looked at, and before it was applied."""

    code = "DST444"
    remedy = "Nothing to do: it is looked at again, and then it is told whose it is."


class ScopeGuessed(Terminal):
    """No definition says whether these kinds are cluster-wide, so their objects are delivered with a namespace."""

    code = "DST445"
    remedy = (
        "Annotate an object of the kind in the package distributor.dev/scope: Namespaced, or Cluster; or deliver "
        "the CustomResourceDefinition to that target by a package."
    )
