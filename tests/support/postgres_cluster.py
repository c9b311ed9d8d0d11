"""A PostgreSQL primary and its standby, which take each other's place."""

from __future__ import annotations

from pathlib import Path

from postgres_server import HOW, Server, binaries, has_driver, until, url_of


def missing() -> str:
    """Why there can be no standby here, or ""."""
    place = binaries()
    if place is None or not has_driver():
        return HOW
    return "" if (place / "pg_basebackup").exists() else f"no pg_basebackup in {place}, which makes a standby"


class Cluster:
    """Two servers on ports that stay. `synchronous`: what is acknowledged is on both."""

    def __init__(self, *, synchronous: bool = False) -> None:
        place = binaries()
        assert place is not None
        self.place: Path = place
        self.synchronous = synchronous
        self.primary = Server(place)
        self.standby = Server(place, primary=self.primary)
        self._wait_for_both()

    def url(self, *order: Server, schema: str = "muscle_mem", **options: object) -> str:
        """The URL of a store on these servers, in this order."""
        base = f"postgresql://muscle:{self.primary.password}@/postgres"
        hosts = ",".join(["127.0.0.1"] * len(order))
        return url_of(schema, at=base, host=hosts, port=",".join(str(one.port) for one in order), **options)

    def fail_over(self) -> None:
        """The primary dies, and the standby takes its place."""
        if not self.synchronous:
            self.standby.await_copy(self.primary)
        self.primary.stop("immediate")
        self.standby.promote()

    def bring_back(self) -> None:
        """The server that died comes back as the standby of the other."""
        port = self.primary.port
        self.primary.remove()
        if self.synchronous:  # Nobody is there yet to acknowledge.
            self._synchronize(self.standby, "")
        returned = Server(self.place, primary=self.standby, port=port)
        self.primary, self.standby = self.standby, returned
        self._wait_for_both()

    def remove(self) -> None:
        self.primary.remove()
        self.standby.remove()

    def _wait_for_both(self) -> None:
        if self.synchronous:
            self._synchronize(self.primary, "*")
            until(lambda: bool(self.primary.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")))

    def _synchronize(self, server: Server, names: str) -> None:
        server.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        server.execute("SELECT pg_reload_conf()")
