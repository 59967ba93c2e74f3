"""Who owns an avatar: an Ed25519 key made at enrolment, proved anew in every call.

The public key lies in the avatar file, whose digest both sides compare. The receiver sends a nonce; the sender signs it
together with the avatar's digest and the certificate fingerprints of both ends of the DTLS connection. So a signature
serves for one call over one connection: it can neither be replayed nor passed on by somebody in between, and holding
the avatar file alone lets nobody appear as the person in it.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from signaling.errors import SignalingError

PUBLIC_KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
NONCE_SIZE: Final = 32
FIELD_SIZE: Final = 32
"""Digests and fingerprints are SHA-256, so that no two statements share their bytes."""

_STATEMENT: Final = b"nerfcall: the owner of this avatar is at the other end\x00"
_MAX_KEY_FILE: Final = 4096


class IdentityError(SignalingError):
    """A key is missing, unreadable or of another kind."""


def make_nonce() -> bytes:
    """Return 32 random bytes for one call."""
    return secrets.token_bytes(NONCE_SIZE)


def create_owner_key(path: str | os.PathLike[str]) -> bytes:
    """Make a new private key at ``path``, readable by this user alone, and return its public key (32 bytes).

    Missing folders are made, private too. An existing file is never overwritten: `IdentityError`.
    """
    target = Path(path)
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        if target.exists():
            raise IdentityError(f"there is a key at {target} already: move it away before a new one is made")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The mode is given at creation, so that the key is never readable by others, not even for a moment.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise IdentityError(
            f"the owner key cannot be written to {target} ({error.strerror}): make room for it"
        ) from None
    return _public_bytes(key)


class OwnerKey:
    """A private key from disk."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "OwnerKey":
        """Read the key that `create_owner_key` wrote; raise `IdentityError` when there is none."""
        try:
            with open(path, "rb") as file:
                text = file.read(_MAX_KEY_FILE + 1)
        except OSError as error:
            raise IdentityError(f"the owner key {path} cannot be read ({error.strerror}): put it back") from None
        try:
            if len(text) > _MAX_KEY_FILE:
                raise ValueError("too long for a key")
            key = load_pem_private_key(text, password=None)
        except (ValueError, TypeError):
            raise IdentityError(f"the owner key {path} is damaged: put its backup there, or enrol again") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise IdentityError(f"the owner key {path} is of another kind: put its backup there, or enrol again")
        return cls(key)

    @property
    def public_key(self) -> bytes:
        """32 bytes, as they stand in the avatar file."""
        return _public_bytes(self._key)

    def sign(self, nonce: bytes, avatar_digest: bytes, own_fingerprint: bytes, other_fingerprint: bytes) -> bytes:
        """Return 64 bytes that prove ownership to who made ``nonce``; all four are 32 bytes."""
        return self._key.sign(_statement(nonce, avatar_digest, own_fingerprint, other_fingerprint))


def verify_ownership(
    public_key: bytes,
    signature: bytes,
    nonce: bytes,
    avatar_digest: bytes,
    sender_fingerprint: bytes,
    receiver_fingerprint: bytes,
) -> bool:
    """Return whether ``signature`` was made for exactly this call by the owner of ``public_key``."""
    if len(public_key) != PUBLIC_KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    statement = _statement(nonce, avatar_digest, sender_fingerprint, receiver_fingerprint)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _statement(*fields: bytes) -> bytes:
    if any(len(field) != FIELD_SIZE for field in fields):
        raise ValueError(f"every field of the statement has {FIELD_SIZE} bytes")
    return _STATEMENT + b"".join(fields)
