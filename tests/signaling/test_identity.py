"""Owner keys: kept private, and a signature proves exactly one call."""

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from signaling.identity import IdentityError, OwnerKey, create_owner_key, make_nonce, verify_ownership

FIELDS = [bytes([number]) * 32 for number in range(4)]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "me.key"
    create_owner_key(path)
    return OwnerKey.read(path)


def test_a_key_is_private_and_never_overwritten(tmp_path):
    path = tmp_path / "deep" / "down" / "me.key"
    public = create_owner_key(path)
    assert len(public) == 32
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    before = path.read_bytes()
    with pytest.raises(IdentityError, match="already"):
        create_owner_key(path)
    assert path.read_bytes() == before
    assert OwnerKey.read(path).public_key == public


def test_keys_that_cannot_be_used(tmp_path):
    path = tmp_path / "x.key"
    with pytest.raises(IdentityError, match="cannot be read"):
        OwnerKey.read(path)
    for damaged in (b"", b"nonsense", b"x" * 100_000):
        path.write_bytes(damaged)
        with pytest.raises(IdentityError, match="damaged"):
            OwnerKey.read(path)
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(other)
    with pytest.raises(IdentityError, match="another kind"):
        OwnerKey.read(path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IdentityError, match="cannot be written"):
        create_owner_key(tmp_path / "file" / "x.key")


def test_the_signature_is_plain_ed25519_over_the_statement(key):
    statement = b"nerfcall: the owner of this avatar is at the other end\x00" + b"".join(FIELDS)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(key.sign(*FIELDS), statement)


@given(st.integers(0, 5), st.integers(0, 255), st.integers(1, 255))
def test_any_change_to_anything_is_noticed(key, which, position, flip):
    parts = [key.public_key, key.sign(*FIELDS), *FIELDS]
    assert verify_ownership(*parts)
    changed = bytearray(parts[which])
    changed[position % len(changed)] ^= flip
    parts[which] = bytes(changed)
    assert not verify_ownership(*parts)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_nonsense_verifies_as_false(public_key, signature):
    assert not verify_ownership(public_key, signature, *FIELDS)


def test_the_two_ends_cannot_be_swapped(key):
    nonce, digest, sender, receiver = FIELDS
    signature = key.sign(nonce, digest, sender, receiver)
    assert not verify_ownership(key.public_key, signature, nonce, digest, receiver, sender)
    assert len({make_nonce() for _ in range(100)}) == 100
