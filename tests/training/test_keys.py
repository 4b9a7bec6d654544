"""The signing key is made once, is readable by one, and is never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from data.errors import InputError
from training.keys import signing_key


def public(folder: Path) -> str:
    return (folder / "release.pub").read_text().strip()


def test_it_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "keys"
    key = signing_key(folder)
    assert (folder / "release.key").stat().st_mode & 0o777 == 0o600
    assert public(folder) == key.public_key().public_bytes_raw().hex()
    again = signing_key(folder)
    assert again.private_bytes_raw() == key.private_bytes_raw()
    assert {path.name for path in folder.iterdir()} == {"release.key", "release.pub"}


def test_a_public_part_that_is_missing_is_written_again(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    (tmp_path / "release.pub").unlink()
    assert signing_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    assert public(tmp_path) == key.public_key().public_bytes_raw().hex()


def rsa(password: bytes | None = None) -> bytes:
    return generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    "content", [b"", b"no key", rsa(), rsa(b"secret")], ids=["empty", "words", "rsa", "encrypted"]
)
def test_another_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "release.key"
    path.write_bytes(content)
    with pytest.raises(InputError, match="the signing key") as caught:
        signing_key(tmp_path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content
    assert not (tmp_path / "release.pub").exists()
