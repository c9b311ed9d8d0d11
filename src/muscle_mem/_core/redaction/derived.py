"""Texts derived from a secret: reversible encodings and the usual digests.

An encoding is found by what the secret becomes in it, wherever it stands in a longer text: base64 has three forms of
each secret, one for each position of its first byte. So the text need not be decoded, and it does not matter what else
was encoded with the secret, such as the user in an Authorization header. A signature, a salted digest and a one-time
code cannot be found in this way; `looks_random` finds most of them by their form.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from .. import codec
from .spellings import spellings
from .traces import fold_text

DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b")
SHORT_SECRET = 6  # bytes; the forms of a shorter secret occur in other texts by chance
_SHORTEST_PREFIX = 8  # hexadecimal digits of a cut digest
_SHORTEST_DIGEST = 32  # hexadecimal digits of MD5
_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_SEPARATORS = (":", "-", " ", ", ", "\\x", ", 0x", ",0x", " 0x")
_HEX = re.compile(r"[0-9a-f]{8,}")
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}|[A-Za-z0-9+/_-]{3}=|[A-Za-z0-9+/_-]{2}==")
_PADDED = re.compile(r"[A-Za-z0-9+/_-]{10,}={1,2}(?![\w=])")
_QUOTED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-z]{2,4});")
_NAMED_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": "\xa0"}
_UNQUOTED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
_MAX_TOKENS = 1_000  # tokens of one text that are decoded in search of a short secret
_RANDOM_BYTES = range(16, 65)  # sizes of keys and signatures


class Derived(NamedTuple):
    """The way in which a text was derived from a secret.

    `reversible` means that the secret can be computed from it.
    """

    how: str
    reversible: bool


class DerivedForms:
    """What the secrets of a run become in encodings and digests.

    Most texts are dismissed by one search for a run of characters that is long enough to hold a form.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        given = list(dict.fromkeys(secrets))
        self._short = [text for secret in given if len(secret) < SHORT_SECRET and (text := _text(secret))]
        self._texts = [fold_text(text) for secret in given if len(secret) >= SHORT_SECRET and (text := _text(secret))]
        self._hex: set[str] = set()
        self._base64: set[str] = set()
        long = [secret for secret in given if len(secret) >= SHORT_SECRET]
        spelled = {form for secret in long for form in _spelled(_text(secret))}
        self._spelled = [fold_text(form) for form in spelled]
        for secret in (*long, *(form.encode("utf-8", "surrogatepass") for form in spelled)):
            self._add_encodings(secret)
        digests = [(name, hashlib.new(name, secret).digest()) for secret in given for name in DIGESTS]
        self._hex_digests = {digest.hex(): name for name, digest in digests}
        self._prefixes = {digest[:_SHORTEST_PREFIX] for digest in self._hex_digests}
        self._base64_digests = {_to_base64(digest).rstrip("="): name for name, digest in digests}
        for name, digest in digests:
            self._base64_digests |= dict.fromkeys(_base64_forms(digest.hex().encode()), name)
        self._raw_digests = {digest.decode("latin-1"): name for name, digest in digests}
        separated = [(secret.hex(), _SEPARATORS) for secret in given if len(secret) >= SHORT_SECRET]
        self._separated = {_separate(whole, mark): "" for whole, marks in separated for mark in marks}
        for digits, name in self._hex_digests.items():
            self._separated |= {_separate(digits, mark): name for mark in _SEPARATORS[:3]}
        self._shortest_separated = min(map(len, self._separated), default=1_000)
        shortest = min(map(len, (*self._hex, *self._base64)), default=1_000)
        self._token = re.compile(rf"[A-Za-z0-9+/_-]{{{shortest},}}")
        self._shortest_text = 4 if self._short else _SHORTEST_PREFIX

    def __bool__(self) -> bool:
        return bool(self._short or self._hex)

    def _add_encodings(self, secret: bytes) -> None:
        text = _text(secret)
        wide = (text.encode("utf-16-le", "surrogatepass"),) if text else ()
        for raw in (secret, *wide):
            self._hex.add(raw.hex())
            self._base64 |= _base64_forms(raw)
        quoted = {_quote(secret, safe).replace(" ", "+") for safe in (b"", b"/", b" ")} | {_quote(secret, keep=b"")}
        for twice in (secret.hex(), _to_base64(secret).rstrip("="), *quoted):
            self._base64 |= _base64_forms(twice.encode())
            self._hex.add(twice.encode().hex())

    def find(self, leaf: Any) -> Derived | None:
        """Return how a leaf was derived from a secret, or None."""
        text = text_of(leaf)
        if text is None or len(text) < self._shortest_text:
            return None
        found = self._find_encoding(text)
        if found is not None:
            return Derived(found, True)
        digest = self._find_digest(text)
        return None if digest is None else Derived(f"a digest ({digest})", False)

    def _find_encoding(self, text: str) -> str | None:
        if self._spelled:
            folded = fold_text(text)
            if any(form in folded for form in self._spelled):
                return "an escaped form"
        texts = [_without_lines(text)]
        for plain in _unquoted(text):
            folded = fold_text(plain)
            if any(secret in folded for secret in (*self._texts, *self._spelled)) or self._stands_in(plain):
                return "a quoted form"
            texts.append(_without_lines(plain))
        for one in texts:
            if self._token.search(one):
                standard = _standard_base64(one)
                if any(form in standard for form in self._base64):
                    return "base64"
                if any(form in one.lower() for form in self._hex):
                    return "hexadecimal"
        if self._find_separated(text) == "":
            return "hexadecimal"
        if self._short and any(self._stands_in(plain) for one in (text, *texts) for plain in _decoded_tokens(one)):
            return "base64 or hexadecimal"
        return None

    def _stands_in(self, text: str) -> bool:
        """Return whether a short secret is a separate part of a text."""
        return any(
            secret in text and re.search(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", text) for secret in self._short
        )

    def _find_separated(self, text: str) -> str | None:
        """Return the name of a digest whose bytes are separated.

        The name is empty for a secret, and None if there is neither.
        """
        if len(text) < self._shortest_separated:
            return None
        lower = text.lower()
        return next((name for form, name in self._separated.items() if form in lower), None)

    def _find_digest(self, text: str) -> str | None:
        for run in _HEX.findall(text.lower()):
            if run[:_SHORTEST_PREFIX] in self._prefixes or len(run) >= _SHORTEST_DIGEST:
                for digest, name in self._hex_digests.items():
                    if digest in run or digest.startswith(run):
                        return name
        name_of_separated = self._find_separated(text)
        if name_of_separated:
            return name_of_separated
        joined = _without_lines(text)
        found: Mapping[str, str] = {}
        if _LONG_TOKEN.search(joined):
            joined, found = _standard_base64(joined), self._base64_digests
        elif not text.isascii():
            joined, found = text, self._raw_digests
        return next((name for digest, name in found.items() if digest in joined), None)


def _spelled(text: str) -> set[str]:
    """Return the differing forms of a text in JSON, in HTML and in a repr."""
    data = text.replace("\\", "\\\\").replace('"', '\\"').encode("utf-16-be", "surrogatepass")
    units = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    in_json = "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)
    in_html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = in_html.replace('"', "&quot;").replace("'", "&#x27;")
    return {in_json, in_html, quoted, *spellings(text)} - {text, ""}


def _separate(digits: str, mark: str) -> str:
    return mark.join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _without_lines(text: str) -> str:
    """Return a text without the line breaks that base64 in mails has."""
    return "".join(text.split()) if "\n" in text else text


def _standard_base64(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


def _base64_forms(secret: bytes) -> set[str]:
    """Return what bytes become in base64 inside longer data.

    Characters that depend on the neighbors of the bytes are left out.
    """
    found: set[str] = set()
    for offset in range(3):
        encoded = _to_base64(bytes(offset) + secret + bytes(2))
        start, stop = -(-8 * offset // 6), 8 * (offset + len(secret)) // 6
        if stop - start >= SHORT_SECRET:
            found.add(encoded[start:stop])
    return found


def _unquoted(text: str) -> Iterator[str]:
    """Yield a text with URL and HTML quoting removed once and twice.

    A form that equals the text is left out.
    """
    if not any(mark in text for mark in "%&+"):
        return
    for unquoting in (_unquote, _unquote_form, _unescape):
        latest = text
        for _ in range(2):
            plain = unquoting(latest)
            if plain == latest:
                break
            yield plain
            latest = plain


def _quote(data: bytes, safe: bytes = b"", keep: bytes = _UNQUOTED) -> str:
    return "".join(chr(byte) if byte in keep or byte in safe else f"%{byte:02X}" for byte in data)


def _unquote(text: str) -> str:
    return _QUOTED.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "replace"), text)


def _unquote_form(text: str) -> str:
    return _unquote(text.replace("+", " "))


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda found: _character(found[1]) or found[0], text)


def _character(entity: str) -> str:
    if not entity.startswith("#"):
        return _NAMED_ENTITIES.get(entity, "")
    digits, base = (entity[2:], 16) if entity[1] in "xX" else (entity[1:], 10)
    try:
        return chr(int(digits, base))
    except (ValueError, OverflowError):
        return ""


def _decoded_tokens(text: str) -> Iterator[str]:
    """Yield what the tokens of a text encode, if it is readable text.

    Plain words are left out.
    """
    for token in _TOKEN.findall(text)[:_MAX_TOKENS]:
        if token.isalpha() and (token.islower() or token.istitle()):
            continue
        for decode in (_from_base64, bytes.fromhex):
            try:
                plain = decode(token).decode("utf-8")
            except ValueError:
                continue
            if plain.isprintable():
                yield plain


def _to_base64(data: bytes) -> str:
    # The module base64 would have to be loaded for this alone.
    text: str = msgspec.to_builtins(data)
    return text


def _from_base64(token: str) -> bytes:
    bare = _standard_base64(token.rstrip("="))
    try:
        return msgspec.convert(bare + "=" * (-len(bare) % 4), bytes)
    except msgspec.ValidationError as error:
        raise ValueError("not base64") from error


def _text(secret: bytes) -> str:
    try:
        return secret.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def text_of(leaf: Any) -> str | None:
    """Return a leaf as a text to search.

    Bytes become the characters of the same numbers.
    """
    if issubclass(type(leaf), str):
        return str(leaf)
    if issubclass(type(leaf), bytes | bytearray):
        return bytes(leaf).decode("latin-1")
    if leaf is None or issubclass(type(leaf), bool | int | float):
        return None
    try:
        return str(leaf) if codec.is_immutable(leaf) else None
    except Exception:  # A value whose own methods raise has no text.
        return None


def looks_random(leaf: Any, random_parts: Sequence[str]) -> list[str]:
    """Return the parts of a leaf that may be a signature or key.

    `random_parts` are those that look random by their letters and digits. Padded base64 of bytes that are not a text is
    added, and bytes of the size of a key or signature.
    """
    if issubclass(type(leaf), bytes | bytearray):
        return [bytes(leaf).hex()] if len(leaf) in _RANDOM_BYTES and not _is_text(bytes(leaf)) else []
    found = list(random_parts)
    for token in _PADDED.findall(leaf) if issubclass(type(leaf), str) else ():
        try:
            is_text = _is_text(_from_base64(token))
        except ValueError:
            continue
        if not is_text:
            found.append(token)
    return found


def _is_text(data: bytes) -> bool:
    text = _text(data)
    return bool(text) and (text.isprintable() or any(char.isspace() for char in text))
