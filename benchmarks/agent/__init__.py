"""What a memory saves an agent with a real model: `python -m benchmarks.agent`, or `make bench-agent`.

The room, in the order in which a run uses it: `tasks` and the `form` they are done on, the `model` (`server` starts the
built-in one), the `agent`, the `rows` that are compared, the `oracle` that judges them, `results` and `report`.
"""
