"""muscle_mem: a behavior cache for AI agents."""
