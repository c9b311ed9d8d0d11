"""The scenarios, a room for each kind; importing them registers them, in the order of the tables."""

# isort: skip_file
from . import replay, growth, keys, recording, sqlite, postgres, many, memory, safety, learning  # noqa: F401
from . import instructions, bytecodes, frameworks, gateway  # noqa: F401
