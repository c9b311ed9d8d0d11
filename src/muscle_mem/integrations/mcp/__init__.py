"""The gateway for MCP: a relay in front of a server, with three more tools.

`muscle-mem mcp -- COMMAND ARGS...` starts it. No Python of the user is involved.
"""
