"""Errors of secrets, DST333 to DST344. None of them ever repeats a value, encrypted or not."""

from __future__ import annotations

from distributor.errors.tree import Terminal


class BrokenCiphertext(Terminal):
    """A SOPS file cannot be read."""

    code = "DST333"
    remedy = "Encrypt the file again with `sops encrypt`; never edit an encrypted file by hand."


class UnsupportedCiphertext(Terminal):
    """A SOPS file asks for something that this service does not do."""

    code = "DST334"
    remedy = "Encrypt it for an age recipient: `sops encrypt --age age1...`, without key groups."


class SecretMisplaced(Terminal):
    """An encrypted value stands outside the data of a Secret."""

    code = "DST335"
    remedy = (
        "Encrypt only values of a Secret: `sops encrypt --encrypted-regex '^(data|stringData)$'`."
    )


class PlaceholderForged(Terminal):
    """A text looks like the placeholder of an encrypted value, and is none of this render's."""

    code = "DST336"
    remedy = "Take the text out; to use an encrypted value, name its file in the kustomization."


class SecretsKeyMissing(Terminal):
    """There is no key to decrypt secrets with."""

    code = "DST337"
    remedy = "Set secrets_key to a file with the age identity that the files are encrypted for."


class BadSecretsKey(Terminal):
    """The file with the age identities cannot be used."""

    code = "DST338"
    remedy = "Put one `AGE-SECRET-KEY-1...` a line into it, as age-keygen writes, and run `chmod 600` on it."


class WrongSecretsKey(Terminal):
    """No age identity of this service opens the file."""

    code = "DST339"
    remedy = "Add the service's recipient to the file: `sops updatekeys` after changing .sops.yaml."


class SecretTampered(Terminal):
    """The file was changed after it was encrypted: its MAC does not match."""

    code = "DST340"
    remedy = (
        "Find out who changed it, then bring back the file as it was encrypted or encrypt it again."
    )


class SecretUndecryptable(Terminal):
    """A value of a SOPS file does not decrypt in its place."""

    code = "DST341"
    remedy = (
        "A value was changed, renamed or moved by hand; edit the file with `sops edit` instead."
    )


class SecretGone(Terminal):
    """The file or key that a placeholder names is not there."""

    code = "DST342"
    remedy = "Look at the history of the file; the accepted revision must still hold it."


class SecretNotBase64(Terminal):
    """An encrypted value under `data` of a Secret is not base64."""

    code = "DST343"
    remedy = "Put plain text under `stringData`, or encode the value before encrypting it."


class SecretNotExternal(Terminal):
    """This kind of target takes only references to secrets, and the object holds values."""

    code = "DST344"
    remedy = (
        "Use an external reference, such as an ExternalSecret, for targets that anybody may read."
    )
