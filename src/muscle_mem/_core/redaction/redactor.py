"""The redactor of a run: it knows the run's secrets and removes them from texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ...errors import DecodeError, InvalidTypeError, InvalidValueError, NotStorableError
from .. import codec
from ..codec.walk import visible_leaves
from ..model.secret import MASK, Secret, as_secret, reveal
from .secret_leaves import literal_text, searchable_leaves, secrets_in
from .spellings import mask_forms, spellings
from .traces import contains_any, fold_text, text_forms

_MIN_LEAK_LENGTH = 4  # characters; a shorter text occurs in encoded bytes by chance
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class NamedValues(Protocol):
    """The part of a run's params that this module uses."""

    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def canonical(self) -> Mapping[str, bytes]: ...
    @property
    def opaque(self) -> Iterable[str]: ...
    def mark_secret(self, name: str) -> None: ...


class Redactor:
    """The secrets of one run.

    A redactor without secrets is false, and then returns everything unchanged. `named` maps names to secrets.
    """

    __slots__ = (
        "_names",
        "_names_by_text",
        "_needles",
        "_needles_at_key",
        "_pattern",
        "_spellings",
        "_texts",
        "has_secrets",
        "named",
        "raw_values",
    )

    def __init__(self) -> None:
        self.named: dict[str, Secret[Any]] = {}
        self.has_secrets = False
        self.raw_values: tuple[bytes, ...] = ()
        self._needles_at_key: frozenset[str] = frozenset()
        self._names: dict[Any, list[str]] = {}
        self._names_by_text: dict[str, str] = {}
        self._needles: frozenset[str] = frozenset()
        self._spellings: tuple[str, ...] = ()
        self._texts: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None

    def __bool__(self) -> bool:
        return self.has_secrets

    # -- adding and naming secrets

    def add_named(self, name: str, secret: Secret[Any]) -> None:
        """Add a secret under a name.

        Raises InvalidValueError if another secret has this name.
        """
        if self.named.setdefault(name, secret) != secret:
            raise InvalidValueError(
                f"invalid secrets=: expected one value for {name!r}, got two different ones. Rename one of them"
            )
        for key in (_Identity(secret), equality_key(reveal(secret))):
            names = self._names.setdefault(key, [])
            if name not in names:
                names.append(name)
        for text in map(literal_text, searchable_leaves(reveal(secret))):
            if text:
                self._names_by_text[text] = min(name, self._names_by_text.get(text, name))
        self._pattern = None
        self.add_value(reveal(secret))

    def add_from_argument(self, tool: str, argument: str, value: Any) -> str:
        """Add a secret that was found in a tool's argument; return its name."""
        secret = as_secret(value) or Secret(value)
        self.add_value(reveal(secret))
        argument = self.redact(argument) if "[" in argument else argument
        name, count = argument, 1
        while self.named.get(name, secret) != secret:
            name = f"{tool or 'argument'}.{argument}" + (f" {count}" if count > 1 else "")
            count += 1
        self.add_named(name, secret)
        return name

    def add_value(self, value: Any) -> None:
        """Add a secret value without a name."""
        leaves = list(searchable_leaves(value))
        self.raw_values = tuple(dict.fromkeys((*self.raw_values, *map(raw_value, leaves))))
        raw = {text for text in map(literal_text, leaves) if text}
        self._texts = tuple(sorted({*self._texts, *raw}, key=lambda text: (-len(text), text)))
        forms = {form for text in self._texts for form in spellings(text)}
        self._spellings = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._needles |= frozenset(text for leaf in leaves for text in text_forms(leaf) if text) | set(
            map(fold_text, forms)
        )
        self.has_secrets = True

    def add_secrets_in(self, value: Any) -> None:
        """Add the Secrets in a value, without names."""
        for _, secret in secrets_in(value, ""):
            self.add_value(reveal(secret))

    def name_of(self, value: Any, argument: str = "") -> str | None:
        """Return the name of a value that is a secret.

        A Secret is found by identity first; any other value is found by equality.
        """
        names = None
        secret = as_secret(value)
        if secret is not None:
            names = self._names.get(_Identity(secret))
            value = reveal(secret)
        names = names or self._names.get(equality_key(value))
        if not names:
            return None
        return argument if argument in names else min(names)

    def equal_groups(self, used: set[str], params: NamedValues) -> tuple[tuple[str, ...], ...]:
        """Return the groups of names whose values are equal, of which one is used.

        The names are those of secrets and params. Which name of a group a step uses cannot be determined.
        """
        groups: dict[Any, set[str]] = {}
        for name in {*self.named, *params.canonical}:
            groups.setdefault(self.equality_key(name, params), set()).add(name)
        return tuple(sorted(tuple(sorted(names)) for names in groups.values() if len(names) > 1 and names & used))

    def equality_key(self, name: str, params: NamedValues) -> Any:
        """Return a key that equal values share; None for an unknown name."""
        secret = self.named.get(name)
        return equality_key(reveal(secret)) if secret is not None else params.canonical.get(name)

    # -- finding and replacing secrets

    def mark_key_made(self) -> None:
        """Mark the task key as made.

        A secret that is added from now on is late: the key was made without it.
        """
        self._needles_at_key = self._needles

    def contains_late_secret(self, value: Any) -> bool:
        """Return whether a value contains a secret that was added after the key was made."""
        late = self._needles - self._needles_at_key
        return bool(late) and any(contains_any(leaf, late) for leaf in visible_leaves(value))

    def contains_secret(self, value: Any) -> bool:
        """Return whether a value contains a secret.

        The secret may be part of a text in any letter case, part of bytes, or a number.
        """
        return bool(self._needles) and any(contains_any(leaf, self._needles) for leaf in visible_leaves(value))

    def leaked_into(self, data: bytes) -> bool:
        """Return whether encoded bytes contain the text of a secret.

        The search covers the encodings that the codec and registered types may use.
        """
        texts = [text for text in self._texts if len(text) >= _MIN_LEAK_LENGTH]
        if not texts:
            return False
        data = data.lower()
        for text in texts:
            for encoding in _ENCODINGS:
                raw = text.encode(encoding, "surrogatepass")
                if raw.lower() in data or (encoding == "utf-8" and raw.hex().encode() in data):
                    return True
        return False

    def redact(self, text: str) -> str:
        """Return a text with each secret replaced by `***`."""
        return mask_forms(text, self._spellings, MASK) if self._spellings and text else text

    def mask(self, value: Any) -> Any:
        """Return a value with each secret replaced by its name, for a task key."""
        if not self.has_secrets:
            return value
        if type(value) is str:
            return self._mask_text(value)
        name = self.name_of(value)
        if name is not None:
            return _marker(name)
        unfolded = codec.unfold(value)
        if unfolded is not None:
            kind, children = unfolded
            masked = tuple(map(self.mask, children))
            if all(new is old for new, old in zip(masked, children, strict=True)):
                return value
            try:
                return codec.fold(kind, masked)
            except DecodeError:  # Two keys of a dict may become equal when they are masked.
                return [kind, *masked]
        return _marker("") if self.contains_secret(value) else value

    def _mask_text(self, text: str) -> str:
        if self._pattern is None:
            longest = sorted(self._names_by_text, key=lambda one: (-len(one), one))
            self._pattern = re.compile("|".join(map(re.escape, longest)) or "(?!)")
        masked = self._pattern.sub(lambda found: _marker(self._names_by_text[found.group()]), text)
        return text if masked == text else masked


class _Identity:
    """An object as a dict key that compares by identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def raw_value(leaf: Any) -> bytes:
    """Return a leaf of a secret as bytes."""
    return (
        bytes(leaf)
        if issubclass(type(leaf), bytes | bytearray)
        else literal_text(leaf).encode("utf-8", "surrogatepass")
    )


def _marker(name: str) -> str:
    return f"\0secret {name}\0"


def equality_key(value: Any) -> Any:
    """Return a key that equal values share: canonical bytes, or the identity."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return _Identity(value)


def redactor_for(
    arguments: Iterable[tuple[str, Any]], params: NamedValues, secrets: Mapping[str, Any] | None
) -> Redactor:
    """Return the redactor of a run.

    It knows the secrets in `secrets`, and the Secrets among the run's params and the agent's arguments. A param that
    contains a secret becomes a secret itself. Raises InvalidTypeError or InvalidValueError.
    """
    redactor = Redactor()
    given = [] if secrets is None else _validated_secrets(secrets)
    for name in params.opaque:
        given += secrets_in(params.values[name], name)
    found = [secret for name, value in arguments for secret in secrets_in(value, name)]
    if not given and not found:
        return redactor
    for name, secret in given:
        redactor.add_named(name, secret)
    for name, secret in found:
        redactor.add_from_argument("", name, secret)
    for name, value in params.values.items():
        if as_secret(value) is not None:
            params.mark_secret(name)
        elif redactor.contains_secret(value):
            redactor.add_named(name, Secret(value))
            params.mark_secret(name)
    redactor.mark_key_made()
    return redactor


def _validated_secrets(secrets: Any) -> list[tuple[str, Secret[Any]]]:
    if not isinstance(secrets, Mapping):
        raise InvalidTypeError(f"invalid secrets=: expected a mapping of names to values, got {type(secrets).__name__}")
    found = []
    for name, value in secrets.items():
        if not isinstance(name, str) or not name:
            raise InvalidTypeError("invalid secrets=: expected names that are strings and not empty")
        try:
            found.append((name, as_secret(value) or Secret(value)))
        except (InvalidTypeError, InvalidValueError) as error:
            raise type(error)(f"secrets[{name!r}]: {error}") from None
    return found
