"""The redactor of one run: which secrets it knows, what holds one, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ...errors import DecodeError, InvalidTypeError, InvalidValueError, NotStorableError
from .. import codec
from ..codec.walk import visible_leaves
from ..model.secret import MASK, Secret
from .secret_leaves import literal_text, searchable_leaves, secrets_in
from .spellings import mask_forms, spellings
from .traces import contains_any, fold_text, text_forms

_MIN_LEAK_LENGTH = 4  # from so many characters on a secret is looked for in the bytes that are written
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class NamedValues(Protocol):
    """What this module needs of a run's params."""

    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def canonical(self) -> Mapping[str, bytes]: ...
    @property
    def opaque(self) -> Iterable[str]: ...
    def mark_secret(self, name: str) -> None: ...


class Redactor:
    """The secrets of one run. Falsy while it knows none, and then all it does is to give back what it gets.

    `named` are the secrets by their names.
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
    )

    def __init__(self) -> None:
        self.named: dict[str, Secret[Any]] = {}
        self.has_secrets = False
        self._needles_at_key: frozenset[str] = frozenset()
        self._names: dict[Any, list[str]] = {}
        self._names_by_text: dict[str, str] = {}
        self._needles: frozenset[str] = frozenset()
        self._spellings: tuple[str, ...] = ()
        self._texts: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None

    def __bool__(self) -> bool:
        return self.has_secrets

    # -- what is secret

    def add_named(self, name: str, secret: Secret[Any]) -> None:
        """Know a secret under a name. Raises InvalidValueError if the name is another secret's."""
        if self.named.setdefault(name, secret) != secret:
            raise InvalidValueError(
                f"the secret {name!r} is given twice with different values; give one of them another name"
            )
        for key in (_Identity(secret), equality_key(secret.value)):
            names = self._names.setdefault(key, [])
            if name not in names:
                names.append(name)
        for text in map(literal_text, searchable_leaves(secret.value)):
            if text:
                self._names_by_text[text] = min(name, self._names_by_text.get(text, name))
        self._pattern = None
        self.add_value(secret.value)

    def add_from_argument(self, tool: str, argument: str, value: Any) -> str:
        """Add a secret that was found in a tool's argument; return its name."""
        secret = value if isinstance(value, Secret) else Secret(value)
        self.add_value(secret.value)
        argument = self.redact(argument) if "[" in argument else argument
        name, count = argument, 1
        while self.named.get(name, secret) != secret:
            name = f"{tool or 'argument'}.{argument}" + (f" {count}" if count > 1 else "")
            count += 1
        self.add_named(name, secret)
        return name

    def add_value(self, value: Any) -> None:
        """Hide a value from now on, without a name for it."""
        leaves = list(searchable_leaves(value))
        raw = {text for text in map(literal_text, leaves) if text}
        self._texts = tuple(sorted({*self._texts, *raw}, key=lambda text: (-len(text), text)))
        forms = {form for text in self._texts for form in spellings(text)}
        self._spellings = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._needles |= frozenset(text for leaf in leaves for text in text_forms(leaf) if text) | set(
            map(fold_text, forms)
        )
        self.has_secrets = True

    def add_secrets_in(self, value: Any) -> None:
        """Hide the Secrets in a value from now on."""
        for _, secret in secrets_in(value, ""):
            self.add_value(secret.value)

    def name_of(self, value: Any, argument: str = "") -> str | None:
        """The name of a value that is a secret: a Secret's by identity first, a raw value's by equality."""
        names = None
        if isinstance(value, Secret):
            names = self._names.get(_Identity(value))
            value = value.value
        names = names or self._names.get(equality_key(value))
        if not names:
            return None
        return argument if argument in names else min(names)

    def equal_groups(self, used: set[str], params: NamedValues) -> tuple[tuple[str, ...], ...]:
        """Groups of used secrets and others, or params, with equal values: which was meant cannot be determined."""
        groups: dict[Any, set[str]] = {}
        for name in {*self.named, *params.canonical}:
            groups.setdefault(self.equality_key(name, params), set()).add(name)
        return tuple(sorted(tuple(sorted(names)) for names in groups.values() if len(names) > 1 and names & used))

    def equality_key(self, name: str, params: NamedValues) -> Any:
        """What equal values have in common; None for a name that was not given."""
        secret = self.named.get(name)
        return equality_key(secret.value) if secret is not None else params.canonical.get(name)

    # -- where it stands

    def mark_key_made(self) -> None:
        """From here on, what becomes known is late: the task's key was made without it."""
        self._needles_at_key = self._needles

    def contains_late_secret(self, value: Any) -> bool:
        """Whether a secret stands in a value that was not known when the run began."""
        late = self._needles - self._needles_at_key
        return bool(late) and any(contains_any(leaf, late) for leaf in visible_leaves(value))

    def contains_secret(self, value: Any) -> bool:
        """Whether a secret stands in a value: in a text in any case of letters, in bytes, as a number."""
        return bool(self._needles) and any(contains_any(leaf, self._needles) for leaf in visible_leaves(value))

    def leaked_into(self, data: bytes) -> bool:
        """Whether written bytes hold a secret's text in an encoding that the codec or its parts may use."""
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
        """A text for people, with `***` where a secret stood."""
        return mask_forms(text, self._spellings, MASK) if self._spellings and text else text

    def mask(self, value: Any) -> Any:
        """A value for a key, with the names of secrets where they stood."""
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
            except DecodeError:  # two keys of a dict are masked alike: the rest distinguishes the tasks well enough
                return [kind, *masked]
        return _marker("") if self.contains_secret(value) else value

    def _mask_text(self, text: str) -> str:
        if self._pattern is None:
            longest = sorted(self._names_by_text, key=lambda one: (-len(one), one))
            self._pattern = re.compile("|".join(map(re.escape, longest)) or "(?!)")
        masked = self._pattern.sub(lambda found: _marker(self._names_by_text[found.group()]), text)
        return text if masked == text else masked


class _Identity:
    """An object as a key, by identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _marker(name: str) -> str:
    return f"\0secret {name}\0"


def equality_key(value: Any) -> Any:
    """What equal values have in common: canonical bytes, or being the same object."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return _Identity(value)


def redactor_for(
    arguments: Iterable[tuple[str, Any]], params: NamedValues, secrets: Mapping[str, Any] | None
) -> Redactor:
    """The redactor of a run: what `secrets` gives, and the Secrets among its params and the agent's arguments.

    Params in which a secret stands are secrets themselves. Raises InvalidTypeError or InvalidValueError.
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
        if isinstance(value, Secret):
            params.mark_secret(name)
        elif redactor.contains_secret(value):
            redactor.add_named(name, Secret(value))
            params.mark_secret(name)
    redactor.mark_key_made()
    return redactor


def _validated_secrets(secrets: Any) -> list[tuple[str, Secret[Any]]]:
    if not isinstance(secrets, Mapping):
        raise InvalidTypeError(f"secrets must be a mapping of names to values, got a {type(secrets).__name__}")
    found = []
    for name, value in secrets.items():
        if not isinstance(name, str) or not name:
            raise InvalidTypeError("a secret's name must be a string that is not empty")
        try:
            found.append((name, value if isinstance(value, Secret) else Secret(value)))
        except (InvalidTypeError, InvalidValueError) as error:
            raise type(error)(f"secrets[{name!r}]: {error}") from None
    return found
