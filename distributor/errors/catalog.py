"""Catalog errors, DST1xx: descriptors, trees, names."""

from __future__ import annotations

from distributor.errors.tree import Terminal


class BrokenYaml(Terminal):
    """The file is not valid YAML."""

    code = "DST101"
    remedy = "Mend the YAML at the line given; `distributor schema KIND` shows what belongs there."


class UnknownField(Terminal):
    """The document has a field that its schema does not know."""

    code = "DST102"
    remedy = "Remove the field or spell it as suggested; unknown fields are refused so that a typo is never silently ignored."


class SchemaViolation(Terminal):
    """A field's value is not what its schema allows."""

    code = "DST103"
    remedy = "Change the value; `distributor schema KIND` prints the schema."


class DuplicateKey(Terminal):
    """A YAML mapping names the same key twice."""

    code = "DST104"
    remedy = "Keep one of the two; parsers disagree on which would win."


class BadVersion(Terminal):
    """The version is not a SemVer 2 version in lower case."""

    code = "DST105"
    remedy = "Use MAJOR.MINOR.PATCH, optionally with a pre-release, such as 1.4.2 or 1.5.0-rc.1."


class NameMismatch(Terminal):
    """The name in the document differs from the path that holds it."""

    code = "DST106"
    remedy = "Rename one of the two; a document's name is that of its folder or file."


class MissingFile(Terminal):
    """A file that must be there is missing."""

    code = "DST107"
    remedy = "Add the file; `distributor new` scaffolds valid ones."


class BadPath(Terminal):
    """A path cannot be carried by every file system."""

    code = "DST108"
    remedy = "Rename it: paths must be NFC, and must not differ from another only in case."


class UnsafeEntry(Terminal):
    """The tree holds an entry that is not plain content."""

    code = "DST109"
    remedy = "Replace the submodule, the LFS pointer or the symbolic link by the files themselves."


class PipelineCycle(Terminal):
    """The environments of the pipeline wait for each other in a circle."""

    code = "DST110"
    remedy = "Remove one `after` so that the pipeline has a first environment."


class UnknownReference(Terminal):
    """A document refers to something that does not exist."""

    code = "DST111"
    remedy = "Correct the name, or add what it names."


class TooLarge(Terminal):
    """A file or tree is larger than Distributor reads."""

    code = "DST112"
    remedy = "Keep binaries and generated output out of the catalog."


class UnrefableVersion(Terminal):
    """Git cannot carry this version or name in a ref."""

    code = "DST113"
    remedy = "Choose a version without build metadata tricks: no '..', no '.lock' at the end, lower case."


class BadValues(Terminal):
    """The values do not fit the package's own schema."""

    code = "DST114"
    remedy = "Correct the values in the Installation, the environment or the package's defaults."


class UnboundReference(Terminal):
    """A document's reference is not of the form RFC 1123 asks."""

    code = "DST115"
    remedy = "Use lower-case letters, digits and hyphens."


class NewerFormat(Terminal):
    """The document's apiVersion is newer than this program."""

    code = "DST116"
    remedy = "Upgrade Distributor, or write the document in distributor.dev/v1alpha1."


class NotACatalog(Terminal):
    """The folder or commit holds no catalog repository."""

    code = "DST117"
    remedy = "Run `distributor init`, or name the repository that holds catalog/, environments/ and policies/."


class AlreadyExists(Terminal):
    """What was to be written exists already."""

    code = "DST118"
    remedy = "Choose another name; nothing was overwritten."


class PackageChanged(Terminal):
    """A version that was accepted already has changed."""

    code = "DST119"
    remedy = "Versions are immutable: restore its files from Git, and make a new one with `distributor new version`."


class YamlBomb(Terminal):
    """The YAML expands beyond what a descriptor may hold."""

    code = "DST120"
    remedy = "Write the content out; aliases are limited."


class BadEncoding(Terminal):
    """The file is not UTF-8 text."""

    code = "DST121"
    remedy = "Save it as UTF-8 without NUL bytes."


class TooManyCells(Terminal):
    """The app needs more renders than one app should."""

    code = "DST122"
    remedy = "List fewer values in values.perCluster; each multiplies renders."


class SharedObject(Terminal):
    """Two Installations yield the same object on one cluster."""

    code = "DST123"
    remedy = "Give one of them another namespace or name; of a shared namespace, let one alone say `namespace.create`."


class UnusedComponent(Terminal):
    """A shared Component matches no app of its environment."""

    code = "DST124"
    remedy = "Remove the Component or mend its targets."


class NotUsed(Terminal):
    """This field is not used by this release."""

    code = "DST125"
    remedy = "Leave it for a later release, or take it out; do not rely on it."
