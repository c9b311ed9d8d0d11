"""Ways to derive a text from a secret, and an agent that sends it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any

from muscle_mem import Engine, Outcome, Secret

MONDAY, TUESDAY = "hunter2-Alpha!", "correct horse/7+x"
KEYS = Secret("sk-proj-0123456789abcdef")


class World:
    """An engine with two tools, and an agent that is a function of the secret."""

    def __init__(self, agent: Callable[[World, Any], Any], **options: Any) -> None:
        self.sent: list[Any] = []
        self.engine = Engine(**options)

        @self.engine.tool(effect="write")
        def call(header: Any, body: Any = None, extra: str = "f00dfeedf00dfeedf00d") -> str:
            self.sent.append((header, body))
            return "called"

        @self.engine.tool(effect="read")
        def login(password: Any) -> str:
            value = password.value if isinstance(password, Secret) else password
            self.sent.append("login")
            return hashlib.sha256(str(value).encode()).hexdigest()

        self.call, self.login = call, login
        self.engine.set_agent(lambda task, secret=None: agent(self, secret))

    def run(self, secret: Any = None, task: str = "the task", **options: Any) -> Outcome:
        self.sent = []
        return self.engine(task, secret, **options)

    def stored(self) -> bytes:
        """Everything that the store holds."""
        found = self.engine._runtime.library.store.scan().stored
        return b"".join(
            part
            for one in found
            for part in (
                one.sealed.body,
                *(piece for _, seen in one.observations for piece in (seen.body, *seen.blobs)),
            )
        )


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


ENCODINGS: dict[str, Callable[[str], Any]] = {
    "base64": b64,
    "base64 without padding": lambda s: b64(s).rstrip("="),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "basic": lambda s: "Basic " + b64(f"ann:{s}"),
    "bearer": lambda s: "Bearer " + b64(f'{{"token": "{s}"}}'),
    "jwt": lambda s: "e30." + b64(f'{{"p":"{s}"}}').rstrip("=") + ".x",
    "in a URL": lambda s: "https://x.org/?t=" + urllib.parse.quote(b64(s), safe=""),
    "MIME lines": lambda s: base64.encodebytes(("x" * 70 + s + "y" * 70).encode()).decode(),
    "base64 as bytes": lambda s: base64.b64encode(s.encode()),
    "base64 of UTF-16": lambda s: b64(s.encode("utf-16-le")),
    "base64 twice": lambda s: b64(b64(s)),
    "base64 of hex": lambda s: b64(s.encode().hex()),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex in C": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "hex in Python": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "hex with spaces": lambda s: s.encode().hex(" "),
    "hex with 0x": lambda s: "0x" + s.encode().hex(),
    "hex in a text": lambda s: f"key {s.encode().hex()} end",
    "URL": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "URL twice": lambda s: urllib.parse.quote(urllib.parse.quote("&" + s + "&")),
    "HTML": lambda s: "<" + "".join(f"&#{ord(char)};" for char in s) + ">",
}
DIGESTS: dict[str, Callable[[str], Any]] = {
    name: (lambda s, name=name: hashlib.new(name, s.encode()).hexdigest())  # type: ignore[misc] # binds the name
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b")
}
DIGESTS |= {
    "upper case": lambda s: hashlib.sha1(s.encode()).hexdigest().upper(),
    "in a text": lambda s: "sha256=" + hashlib.sha256(s.encode()).hexdigest() + ";",
    "base64 digest": lambda s: b64(hashlib.sha256(s.encode()).digest()),
    "base64 of the hex digest": lambda s: b64(hashlib.md5(s.encode()).hexdigest()),
    "digest for URLs": lambda s: base64.urlsafe_b64encode(hashlib.sha512(s.encode()).digest()).decode(),
    "raw digest": lambda s: hashlib.sha256(s.encode()).digest(),
    "fingerprint": lambda s: hashlib.sha256(s.encode()).digest().hex(":").upper(),
    "cut digest": lambda s: hashlib.sha256(s.encode()).hexdigest()[:12],
}
DERIVED = {**ENCODINGS, **DIGESTS}
SIGNED: dict[str, Callable[[str], Any]] = {
    "hmac": lambda s: hmac.new(s.encode(), b"body", "sha256").hexdigest(),
    "hmac in base64": lambda s: b64(hmac.new(s.encode(), b"body", "sha256").digest()),
    "hmac as bytes": lambda s: hmac.new(s.encode(), b"body", "sha256").digest(),
    "salted": lambda s: hashlib.sha256(b"salt" + s.encode()).hexdigest(),
    "pbkdf2": lambda s: hashlib.pbkdf2_hmac("sha256", s.encode(), b"salt", 10).hex(),
    "uuid5": lambda s: str(uuid.uuid5(uuid.NAMESPACE_DNS, s)),
}
