"""The scenarios, a room for each kind; importing them registers them, in the order of the tables."""

from . import replay, growth, keys, recording, sqlite, postgres, many, memory, safety, learning, instructions, bytecodes  # noqa: F401, I001 - they register in this order
