"""Policy, tag and gate errors, DST2xx."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Setup, Terminal


class BadTagName(Terminal):
    """The tag's name is not one that Distributor understands."""

    code = "DST201"
    remedy = "See the tag grammar in the reference; `distributor promote` makes the right name."


class LightweightTag(Terminal):
    """The tag is lightweight; requests are annotated tags."""

    code = "DST202"
    remedy = "Use `distributor promote`, or `git tag -a` (or -s where a signature is asked)."


class NestedTag(Terminal):
    """The tag points at something other than a commit."""

    code = "DST203"
    remedy = "Tag the commit itself."


class TagReplayed(Terminal):
    """The tag object's own name differs from the ref that carries it."""

    code = "DST204"
    remedy = (
        "Make a tag of its own for each request; a tag object cannot be re-used under another name."
    )


class BadTrailers(Terminal):
    """The tag's trailers are missing, unknown, doubled or contradict its name."""

    code = "DST205"
    remedy = "`distributor promote` writes the right trailers; see the reference."


class Unsigned(Terminal):
    """The environment asks for a signed tag, and this one is not."""

    code = "DST206"
    remedy = "Sign it: `distributor promote --sign KEY`."


class BadSignature(Terminal):
    """The tag's signature does not fit its content."""

    code = "DST207"
    remedy = "The tag was changed after it was signed; make a new one."


class UnknownSigner(Terminal):
    """The signing key is not in policies/signers."""

    code = "DST208"
    remedy = "Have the key added by a pull request; it counts after it is on main and accepted."


class KeyNotValid(Terminal):
    """The signing key was not valid at the time the tag was first observed."""

    code = "DST209"
    remedy = "Use a key that is valid, or renew its dates by a pull request."


class NotAllowed(Terminal):
    """The principal may not do this here."""

    code = "DST210"
    remedy = (
        "Ask someone whose role in policies/roles.yaml grants the verb, or have the role changed."
    )


class NotOnMain(Terminal):
    """The tagged commit is not reachable from main."""

    code = "DST211"
    remedy = "Merge the change first, then tag the merged commit."


class VersionMissing(Terminal):
    """The tagged commit does not hold that version of the app."""

    code = "DST212"
    remedy = "Check the version, or tag a commit that holds it."


class DigestMismatch(Terminal):
    """The package at the tagged commit has another digest than the tag says."""

    code = "DST213"
    remedy = "Make the request again; `distributor digest PATH` prints the digest."


class StaleRequest(Terminal):
    """The request builds on a request that is no longer the last accepted one."""

    code = "DST214"
    remedy = "Look at what was accepted meanwhile with `distributor history`, then ask again."


class Vetoed(Terminal):
    """The version was vetoed."""

    code = "DST215"
    remedy = "Only a signed unreject lifts a veto; `distributor why` names who set it and why."


class Held(Terminal):
    """A hold stands on this instance."""

    code = "DST216"
    remedy = "`distributor unhold ENV INSTANCE`, or promote another digest as a person."


class NotVerified(Terminal):
    """The version is not verified in an environment that comes before."""

    code = "DST217"
    remedy = "Promote it there first, and wait until it is verified; `distributor why` shows how far it is."


class BlastRadius(Terminal):
    """The change reaches further than the blast-radius gate allows."""

    code = "DST218"
    remedy = "Split the change, or have the limit raised by a pull request to policies/gates."


class UnknownGate(Terminal):
    """A policy file names a gate that this program does not know."""

    code = "DST219"
    remedy = "Upgrade Distributor or remove the file; until then nothing passes there."


class BadPolicy(Terminal):
    """The policy cannot be read, so nothing passes."""

    code = "DST220"
    remedy = "Mend the file named; policies fail closed."


class NotVerifiedHere(Terminal):
    """A rollback names a revision that was never verified in this environment."""

    code = "DST221"
    remedy = "Choose one that `distributor history ENV INSTANCE` shows as verified."


class NoSuchInstance(Terminal):
    """The environment has no such instance."""

    code = "DST222"
    remedy = "Add environments/<env>/apps/<instance>.yaml, or check the name."


class NoTargets(Terminal):
    """The app has no target in this environment."""

    code = "DST223"
    remedy = "Check the placement: `distributor plan` names every cluster left out, and why."


class TagMoved(Terminal):
    """A tag that the ledger knows points elsewhere now."""

    code = "DST224"
    remedy = "Find out who moved it; decisions for the instance go on after a signed ack."


class TagDeleted(Terminal):
    """A tag that the ledger knows is gone from the remote."""

    code = "DST225"
    remedy = "Restore it, or have it archived; nothing that runs changed."


class GateCrashed(Retryable):
    """A gate could not be evaluated."""

    code = "DST226"
    remedy = "It is evaluated again; an error never passes and never counts against the version."


class UnsupportedRequest(Terminal):
    """This program does not carry out such requests yet."""

    code = "DST227"
    remedy = "Upgrade Distributor; the tag was recorded and changed nothing."


class SchemaGate(Terminal):
    """An object does not fit the schema of its kind."""

    code = "DST228"
    remedy = "Mend the manifest at the field named."


class UnknownKind(Terminal):
    """The cluster does not serve this kind."""

    code = "DST229"
    remedy = "List it in fits.requiresApis, or add the CRD to the package."


class TagTooLarge(Terminal):
    """The tag object is larger than Distributor reads."""

    code = "DST230"
    remedy = "Keep requests to a few lines; put long texts in the pull request."


class DecisionsStopped(Terminal):
    """Decisions have stopped until an operator acknowledges."""

    code = "DST231"
    remedy = "`distributor why` names the reason; mend it, then acknowledge."


class AskedAlready(Terminal):
    """The same is asked for already, and that request is still open."""

    code = "DST233"
    remedy = "Follow it with `distributor why ENV INSTANCE`, or ask once more with `--again`."


class ApprovalMisdirected(Terminal):
    """The approval does not point at the request that its name says."""

    code = "DST240"
    remedy = "`distributor approve ENV INSTANCE VERSION` makes one for the request that is open."


class NoRollout(Terminal):
    """There is no rollout that this switch could be for."""

    code = "DST242"
    remedy = "`distributor status` shows what is rolled out; pause, resume and abort what runs, retry what failed."


class NothingToApprove(Setup):
    """No request for that version is open."""

    code = "DST241"
    remedy = "`distributor history ENV INSTANCE` shows the requests; promote first, then approve."


class RenderedDiffers(Terminal):
    """The tag's Rendered differs from what the commit renders to."""

    code = "DST232"
    remedy = "Run `distributor plan` and make the request anew."


class NotSoaked(Terminal):
    """The package has not been long enough in an environment before this one."""

    code = "DST260"
    remedy = "Wait until the time named; where it no longer runs there, promote it there again."


class OutsideWindow(Terminal):
    """Nothing may change now: a freeze holds, or no allow window is open."""

    code = "DST261"
    remedy = "Wait until the time named; policies/calendar.yaml says why. A rollback need not wait."


class BadCalendar(Terminal):
    """A window of policies/calendar.yaml cannot be understood, so nothing is let in."""

    code = "DST262"
    remedy = "Mend the field named; the how-to on freezes shows what it may say."


class MissingDependency(Terminal):
    """A target lacks an app that the package needs, or has one that it conflicts with."""

    code = "DST263"
    remedy = "Promote the app that is needed there first, or choose other targets."


class DependencyPending(Terminal):
    """An app that the package needs is being rolled out to a target."""

    code = "DST264"
    remedy = "Wait until it is verified there; the request is then asked again by itself."


class NoCapacity(Terminal):
    """A target's nodes have not enough left."""

    code = "DST265"
    remedy = "Add nodes and say so in the cluster's file, ask for less, or choose other targets."


class NoLongerFits(Terminal):
    """A cluster runs the app and is no target of this version: it keeps what it has."""

    code = "DST266"
    remedy = "Change the cluster, or take the app away from it once nobody needs it there."


class OverrideRefused(Terminal):
    """A request would override gates that it may not."""

    code = "DST267"
    remedy = "Ask without Promotion-Override, or as the how-to on hotfixes says."


class CertificateRefused(Terminal):
    """Certificates are not accepted; each signing key is listed itself."""

    code = "DST270"
    remedy = "List the public key itself in policies/signers/allowed_signers."


class OpenPgpUnavailable(Retryable):
    """An OpenPGP signature could not be checked: gpg is missing or gives no answer."""

    code = "DST271"
    remedy = "Install GnuPG where Distributor runs, or sign with an SSH key; the tag is asked again by itself."


class SetWithheld(Terminal):
    """A promotion of a set is kept out, because others of the set are."""

    code = "DST272"
    remedy = "Mend what keeps the others out, or ask for this one alone."


class NothingAsked(Terminal):
    """No target asks for that now, and nothing is agreed to beforehand."""

    code = "DST274"
    remedy = "`distributor why` shows what targets ask; agree when one asks. A deletion counts as stuck 30 s beyond its time."


class OtherQuestions(Terminal):
    """What is asked now is not the list that was agreed to."""

    code = "DST275"
    remedy = "Look again with `distributor consent --dry-run` (or `detach --dry-run`), and agree to that list."


class NotRetirable(Terminal):
    """The cluster cannot be retired."""

    code = "DST273"
    remedy = "Delete its file from main first; `distributor status` shows what runs on a cluster."


class StandbyWithholds(Terminal):
    """An environment and its standby take a version together or not at all, and the standby cannot."""

    code = "DST276"
    remedy = "Mend what keeps the standby out, or set its `mode` to after: then it follows by a request of its own."


class StandbyBehind(Terminal):
    """A standby does not go back with the environment that it stands by for."""

    code = "DST277"
    remedy = "Roll the standby back by itself, or promote to it what the environment runs now."


class StandbyDiffers(Terminal):
    """A standby and the environment that it stands by for have the same package with other values."""

    code = "DST278"
    remedy = "Set the values alike in both, or list their paths in `parity.except` of the standby's environment.yaml."


class NotAStandby(Terminal):
    """Only an environment that stands by for another one can take over from it."""

    code = "DST279"
    remedy = "Ask in the standby; its environment.yaml says `standbyFor`, and what was accepted there last says so too."


class NotSwitchable(Terminal):
    """There is nothing to fail over, or to fail back."""

    code = "DST280"
    remedy = "`distributor status ENV INSTANCE` shows whether it stands in for another environment; ask for one instance at a time."
