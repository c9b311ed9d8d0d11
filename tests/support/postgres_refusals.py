"""How servers and proxies refuse: for now, and for good."""

from __future__ import annotations

PASSES = {
    "shutting down": ("57P03", "the database system is shutting down"),
    "starting up": ("57P03", "the database system is starting up"),
    "in recovery": ("57P03", "the database system is in recovery mode"),
    "not yet consistent": ("57P03", "the database system is not yet accepting connections"),
    "too many clients": ("53300", "sorry, too many clients already"),
    "reserved slots": ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    "too many of the role": ("53300", 'too many connections for role "muscle"'),
    "terminating": ("57P01", "terminating connection due to administrator command"),
    "crashed": ("57P02", "terminating connection because of crash of another server process"),
    "out of memory": ("53200", "out of memory"),
    "proxy full": ("08P01", "no more connections allowed (max_client_conn)"),
    "proxy without a server": ("08P01", "server login has been failing, try again later (server_login_retry)"),
    "proxy waits too long": ("08P01", "query_wait_timeout"),
    "in another language": ("57P03", "das Datenbanksystem startet"),
}
CUT = ("reset", "closed", "silent")
NEVER = {
    "password": ("28P01", 'password authentication failed for user "muscle"'),
    "no entry": ("28000", 'no pg_hba.conf entry for host "127.0.0.1", user "muscle", database "x", no encryption'),
    "no role": ("28000", 'role "muscle" does not exist'),
    "database": ("3D000", 'database "x" does not exist'),
    "privilege": ("42501", 'permission denied for database "x"'),
    "proxy": ("08P01", "no such user: muscle"),
    "in another language": ("28P01", "Passwort-Authentifizierung für Benutzer »muscle« fehlgeschlagen"),
}
