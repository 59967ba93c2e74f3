"""Where the owner keys of this user's avatars lie: one file each, named by its public key."""

import os
import secrets
from pathlib import Path

from signaling.identity import IdentityError, OwnerKey, create_owner_key


def key_folder() -> Path:
    """Return the folder of the keys: ``nerfcall/keys`` in the user's configuration (XDG_CONFIG_HOME)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification tells to ignore a relative path.
    folder = Path(base) if os.path.isabs(base) else Path.home() / ".config"
    return folder / "nerfcall" / "keys"


def key_path(public_key: bytes) -> Path:
    """Return where the private key that belongs to ``public_key`` (32 bytes) lies on the owner's machine."""
    return key_folder() / f"{public_key.hex()[:16]}.key"


def make_owner_key() -> bytes:
    """Make a key for a new avatar and return its public half (32 bytes), which goes into the avatar's meta as hex.

    Raises:
        IdentityError: the key cannot be written.
    """
    fresh = key_folder() / f"new-{secrets.token_hex(8)}.key"
    public_key = create_owner_key(fresh)
    fresh.rename(key_path(public_key))
    return public_key


def read_owner_key(public_key: bytes) -> OwnerKey:
    """Return the private key of an avatar with this owner.

    Raises:
        IdentityError: it is not on this machine, or damaged.
    """
    path = key_path(public_key)
    if not path.exists():
        raise IdentityError(
            f"this avatar can be driven only by its owner, whose key {path} is not here:"
            " send from the machine it was enrolled on, or copy the key from there"
        )
    key = OwnerKey.read(path)
    if key.public_key != public_key:
        raise IdentityError(f"the owner key {path} belongs to another avatar: put its backup there, or enrol again")
    return key
