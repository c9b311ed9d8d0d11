"""The veil of one run: which secrets it knows, what holds one, and texts without them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ...errors import DecodeError, InvalidTypeError, InvalidValueError, NotStorableError
from .. import codec
from ..model.secret import MASK, Secret
from .spellings import spellings, without
from .traces import fold, hides, small, texts_of

SCALARS = frozenset({str, int, bool, float, type(None), bytes, complex})
MAX_LOOKS = 100_000
_LONG = 4  # from so many characters on a secret is looked for in the bytes that are written
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class NamedValues(Protocol):
    """What this module needs of a run's params."""

    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def canonical(self) -> Mapping[str, bytes]: ...
    @property
    def opaque(self) -> Iterable[str]: ...
    def conceal(self, name: str) -> None: ...


class Veil:
    """The secrets of one run. Falsy while it knows none, and then all it does is to give back what it gets.

    `given` are the secrets by their names.
    """

    __slots__ = ("_early", "_forms", "_marks", "_names", "_needles", "_pattern", "_raw", "given", "known")

    def __init__(self) -> None:
        self.given: dict[str, Secret[Any]] = {}
        self.known = False
        self._early: frozenset[str] = frozenset()
        self._names: dict[Any, list[str]] = {}
        self._marks: dict[str, str] = {}
        self._needles: frozenset[str] = frozenset()
        self._forms: tuple[str, ...] = ()
        self._raw: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None

    def __bool__(self) -> bool:
        return self.known

    # -- what is secret

    def give(self, name: str, secret: Secret[Any]) -> None:
        """Know a secret under a name. Raises InvalidValueError if the name is another secret's."""
        if self.given.setdefault(name, secret) != secret:
            raise InvalidValueError(
                f"the secret {name!r} is given twice with different values; give one of them another name"
            )
        for key in (_Same(secret), likeness(secret.value)):
            names = self._names.setdefault(key, [])
            if name not in names:
                names.append(name)
        for text in map(_verbatim, hunted(secret.value)):
            if text:
                self._marks[text] = min(name, self._marks.get(text, name))
        self._pattern = None
        self.meet(secret.value)

    def adopt(self, tool: str, argument: str, value: Any) -> str:
        """Know a secret that only a tool's argument told of, from now on; the name it has got."""
        secret = value if isinstance(value, Secret) else Secret(value)
        self.meet(secret.value)
        argument = self.hide(argument) if "[" in argument else argument
        name, count = argument, 1
        while self.given.get(name, secret) != secret:
            name = f"{tool or 'argument'}.{argument}" + (f" {count}" if count > 1 else "")
            count += 1
        self.give(name, secret)
        return name

    def meet(self, value: Any) -> None:
        """Hide a value from now on, without a name for it."""
        leaves = list(hunted(value))
        raw = {text for text in map(_verbatim, leaves) if text}
        self._raw = tuple(sorted({*self._raw, *raw}, key=lambda text: (-len(text), text)))
        forms = {form for text in self._raw for form in spellings(text)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._needles |= frozenset(text for leaf in leaves for text in texts_of(leaf) if text) | set(map(fold, forms))
        self.known = True

    def meet_secrets(self, value: Any) -> None:
        """Hide the Secrets in a value from now on."""
        for _, secret in secrets_in(value, ""):
            self.meet(secret.value)

    def name_of(self, value: Any, argument: str = "") -> str | None:
        """The name of a value that is a secret: a Secret's by identity first, a raw value's by equality."""
        names = None
        if isinstance(value, Secret):
            names = self._names.get(_Same(value))
            value = value.value
        names = names or self._names.get(likeness(value))
        if not names:
            return None
        return argument if argument in names else min(names)

    def equal_groups(self, used: set[str], params: NamedValues) -> tuple[tuple[str, ...], ...]:
        """Groups of used secrets and others, or params, with equal values: which was meant cannot be told."""
        groups: dict[Any, set[str]] = {}
        for name in {*self.given, *params.canonical}:
            groups.setdefault(self.likeness(name, params), set()).add(name)
        return tuple(sorted(tuple(sorted(names)) for names in groups.values() if len(names) > 1 and names & used))

    def likeness(self, name: str, params: NamedValues) -> Any:
        """What equal values have in common; None for a name that was not given."""
        secret = self.given.get(name)
        return likeness(secret.value) if secret is not None else params.canonical.get(name)

    # -- where it stands

    def begin(self) -> None:
        """From here on, what becomes known is late: the task's key was made without it."""
        self._early = self._needles

    def holds_late(self, value: Any) -> bool:
        """Whether a secret stands in a value that was not known when the run began."""
        late = self._needles - self._early
        return bool(late) and any(hides(leaf, late) for leaf in _leaves(value))

    def holds(self, value: Any) -> bool:
        """Whether a secret stands in a value: in a text in any case of letters, in bytes, as a number."""
        return bool(self._needles) and any(hides(leaf, self._needles) for leaf in _leaves(value))

    def spilled_in(self, data: bytes) -> bool:
        """Whether written bytes hold a secret's text in an encoding that the codec or its parts may use."""
        texts = [text for text in self._raw if len(text) >= _LONG]
        if not texts:
            return False
        data = data.lower()
        for text in texts:
            for encoding in _ENCODINGS:
                raw = text.encode(encoding, "surrogatepass")
                if raw.lower() in data or (encoding == "utf-8" and raw.hex().encode() in data):
                    return True
        return False

    def hide(self, text: str) -> str:
        """A text for people, with `***` where a secret stood."""
        return without(text, self._forms, MASK) if self._forms and text else text

    def mask(self, value: Any) -> Any:
        """A value for a key, with the names of secrets where they stood."""
        if not self.known:
            return value
        if type(value) is str:
            return self._masked(value)
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
            except DecodeError:  # two keys of a dict are masked alike: what is left tells the tasks apart enough
                return [kind, *masked]
        return _marker("") if self.holds(value) else value

    def _masked(self, text: str) -> str:
        if self._pattern is None:
            longest = sorted(self._marks, key=lambda one: (-len(one), one))
            self._pattern = re.compile("|".join(map(re.escape, longest)) or "(?!)")
        masked = self._pattern.sub(lambda found: _marker(self._marks[found.group()]), text)
        return text if masked == text else masked


class _Same:
    """An object as a key, by identity."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)


def _marker(name: str) -> str:
    return f"\0secret {name}\0"


def likeness(value: Any) -> Any:
    """What equal values have in common: canonical bytes, or being the same object."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return _Same(value)


def _verbatim(leaf: Any) -> str:
    if isinstance(leaf, bytes | bytearray):
        return leaf.decode("utf-8", "replace").replace("\ufffd", "")
    return str(leaf) if codec.immutable(leaf) else ""


def nothing_in(value: Any) -> bool:
    """Whether a value cannot be a secret: None, or empty. Being left empty is no secret either."""
    return value is None or (isinstance(value, str | bytes | bytearray | list | tuple | dict | set) and not value)


def hunted(value: Any) -> Iterator[Any]:
    """What of a secret is looked for elsewhere: a plain one itself; of containers no keys, and nothing small."""
    if codec.unfold(value) is None and not isinstance(value, dict | list | tuple | set | frozenset):
        if value is not None and not isinstance(value, bool):
            yield value.value if isinstance(value, Secret) else value
        return
    for leaf in _leaves(value, keys=False):
        leaf = leaf.value if isinstance(leaf, Secret) else leaf
        if not small(leaf):
            yield leaf


def _leaves(value: Any, *, keys: bool = True) -> Iterator[Any]:
    seen: set[int] = set()
    waiting = [value]
    while waiting and len(seen) < MAX_LOOKS:
        this = waiting.pop()
        children = _children(this, keys) if type(this) not in SCALARS else None
        if children is None:
            yield this
        elif id(this) not in seen:
            seen.add(id(this))
            waiting += children


def _children(value: Any, keys: bool = True) -> Iterable[Any] | None:
    if isinstance(value, dict):
        return [*(dict.keys(value) if keys else ()), *dict.values(value)]
    if isinstance(value, list | set | frozenset | deque) or type(value) is tuple:
        return list(value)
    unfolded = codec.unfold(value)
    return None if unfolded is None else unfolded[1]


def secrets_in(value: Any, path: str) -> list[tuple[str, Secret[Any]]]:
    """The Secrets in a value, containers walked, each with the path to it."""
    if not any(isinstance(leaf, Secret) for leaf in _leaves(value)):
        return []
    found: list[tuple[str, Secret[Any]]] = []
    seen: set[int] = set()
    waiting = [(path, value)]
    while waiting and len(seen) < MAX_LOOKS:
        path, this = waiting.pop()
        if isinstance(this, Secret):
            found.append((path, this))
        elif id(this) not in seen:
            seen.add(id(this))
            unfolded = codec.unfold(this)
            if unfolded is None:
                children = _children(this) or ()
                waiting += [(f"{path}[...]", child) for child in children if type(child) not in SCALARS]
                continue
            kind, children = unfolded
            waiting += [
                (path + codec.child_path(kind, index, unfolded[1]), child)
                for index, child in enumerate(children)
                if type(child) not in SCALARS
            ]
    return found


def veil_of(arguments: Iterable[tuple[str, Any]], params: NamedValues, secrets: Mapping[str, Any] | None) -> Veil:
    """The veil of a run: what `secrets` gives, and the Secrets among its params and the agent's arguments.

    Params in which a secret stands are secrets themselves. Raises InvalidTypeError or InvalidValueError.
    """
    veil = Veil()
    given = [] if secrets is None else _given(secrets)
    for name in params.opaque:
        given += secrets_in(params.values[name], name)
    found = [secret for name, value in arguments for secret in secrets_in(value, name)]
    if not given and not found:
        return veil
    for name, secret in given:
        veil.give(name, secret)
    for name, secret in found:
        veil.adopt("", name, secret)
    for name, value in params.values.items():
        if isinstance(value, Secret):
            params.conceal(name)
        elif veil.holds(value):
            veil.give(name, Secret(value))
            params.conceal(name)
    veil.begin()
    return veil


def _given(secrets: Any) -> list[tuple[str, Secret[Any]]]:
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
