"""Which requests the inspector answers: the whole product of hosts, origins, credentials and methods, and what else."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from inspector_server import Answer, Client, served
from muscle_mem.inspector.guard import CSP, MOST_FORM_BYTES
from muscle_mem.inspector.serving import Serving
from muscle_mem.inspector.session import Session
from muscle_mem.store import SqliteStore
from muscle_mem.store.paging import each

HOSTS = ("127.0.0.1:{port}", "localhost:4711", "rebound.example:{port}", "127.0.0.1.evil.example")
ORIGINS = ("absent", "own", "null", "http://other.example")
CREDENTIALS = ("nothing", "cookie", "cookie and csrf")
KINDS = ("GET page", "POST change")
PRODUCT = list(itertools.product(HOSTS, ORIGINS, CREDENTIALS, KINDS))


@pytest.fixture(scope="module")
def opened(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    copy = tmp_path_factory.mktemp("safety") / "work.db"
    copy.write_bytes(recorded.read_bytes())
    with closing(SqliteStore(copy)) as store:
        yield store


@pytest.fixture(scope="module")
def shared(opened: SqliteStore) -> Iterator[tuple[Client, str]]:
    """One server for many requests, and the id of a trajectory."""
    with served(opened) as client:
        yield client, next(each(opened)).sealed.id


def is_allowed(host: str, origin: str, credentials: str, kind: str) -> bool:
    """The rule in its words.

    The name of the host is 127.0.0.1, localhost or [::1], with any port; the origin is absent, for GET alone, or equal
    to scheme and host; the cookie is valid; and a change has the token of the page.
    """
    name_of_host = host.rsplit(":", 1)[0]
    if name_of_host not in ("127.0.0.1", "localhost", "[::1]"):
        return False
    if origin == "absent" and kind != "GET page":
        return False
    if origin not in ("absent", "own"):
        return False
    if credentials == "nothing":
        return False
    return kind == "GET page" or credentials == "cookie and csrf"


def asked(client: Client, id: str, host: str, origin: str, credentials: str, kind: str) -> Answer:
    host = host.format(port=client.serving.port)
    method, path = ("GET", "/") if kind == "GET page" else ("POST", "/judge")
    return client.ask(
        method,
        path,
        {"id": id, "verdict": "good"},
        host=host,
        cookie=client.cookie if credentials != "nothing" else "",
        csrf=credentials == "cookie and csrf",
        origin={"absent": "", "own": f"http://{host}"}.get(origin, origin),
    )


def test_of_96_kinds_of_requests_exactly_the_10_pass_that_the_rule_allows(shared: tuple[Client, str]) -> None:
    client, id = shared
    passed = [case for case in PRODUCT if asked(client, id, *case).status in (200, 303)]
    refused = {asked(client, id, *case).status for case in PRODUCT if not is_allowed(*case)}
    assert len(PRODUCT) == 96
    assert passed == [case for case in PRODUCT if is_allowed(*case)]
    assert [sum(case[3] == kind for case in passed) for kind in KINDS] == [8, 2]
    assert refused == {403}


def test_what_is_refused_changes_nothing(shared: tuple[Client, str], opened: SqliteStore) -> None:
    client, id = shared
    before = opened.get(id)
    for case in PRODUCT:
        if not is_allowed(*case):
            asked(client, id, *case)
    assert before is not None
    assert opened.get(id) == before


@pytest.mark.parametrize(
    "host", ["", "127.0.0.1:x", "127.0.0.1:80:80", "127.0.0.1.", "127.1", "0.0.0.0", "2130706433", "localhost@evil",
             "[::1", "[::ffff:127.0.0.1]", "evil.example#127.0.0.1", "127.0.0.1 evil.example", "localhost,evil"]
)  # fmt: skip
def test_a_host_that_is_written_oddly_is_refused(shared: tuple[Client, str], host: str) -> None:
    assert shared[0].ask("GET", "/", host=host).status in (400, 403)


def test_the_loopback_of_ip_6_and_upper_case_and_no_port_are_accepted(shared: tuple[Client, str]) -> None:
    for host in ("[::1]:80", "[::1]", "LOCALHOST", "127.0.0.1"):
        assert shared[0].ask("GET", "/", host=host).status == 200


def test_two_hosts_or_origins_are_refused(shared: tuple[Client, str]) -> None:
    client, _ = shared
    own, cookie = ("Host", client.host), ("Cookie", client.cookie)
    assert client.raw("GET", "/", [own, cookie]).status == 200
    assert client.raw("GET", "/", [own, ("Host", "evil.example"), cookie]).status in (400, 403)
    origin = ("Origin", f"http://{client.host}")
    assert client.raw("GET", "/", [own, cookie, origin]).status == 200
    assert client.raw("GET", "/", [own, cookie, origin, ("Origin", "http://evil.example")]).status == 403


def test_a_host_is_allowed_by_its_name(store: SqliteStore) -> None:
    with served(store, allowed=["devbox.internal"]) as client:
        assert client.ask("GET", "/", host="devbox.internal:8000").status == 200
        assert client.ask("GET", "/", host="x.devbox.internal").status == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_another_method_is_not_allowed(shared: tuple[Client, str], method: str) -> None:
    for path in ("/", "/judge", "/forget", "/nothing", "/enter?token=x"):
        found = shared[0].ask(method, path)
        assert found.status == 405
        assert found.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "kind",
    [None, "", "application/json", "text/plain", "multipart/form-data; boundary=x",
     "application/x-www-form-urlencodedx", "application/x-www-form-urlencoded, text/plain"],
)  # fmt: skip
def test_a_change_of_another_media_type_is_refused(shared: tuple[Client, str], kind: str | None) -> None:
    client, id = shared
    assert client.ask("POST", "/judge", {"id": id, "verdict": "good"}, kind=kind).status == 415


def test_a_media_type_may_have_parameters(shared: tuple[Client, str]) -> None:
    client, id = shared
    kind = "Application/X-WWW-Form-Urlencoded; charset=UTF-8"
    assert client.ask("POST", "/judge", {"id": id, "verdict": "good"}, kind=kind).status == 303


@pytest.mark.parametrize(("site", "status"), [("none", 200), ("same-origin", 200), ("same-site", 403),
                                              ("cross-site", 403), ("other", 403)])  # fmt: skip
def test_the_metadata_of_fetches_must_name_this_origin(shared: tuple[Client, str], site: str, status: int) -> None:
    client, id = shared
    assert client.get("/", sec_fetch_site=site).status == status
    found = client.ask("POST", "/judge", {"id": id, "verdict": "good"}, sec_fetch_site=site)
    assert found.status == (303 if status == 200 else 403)


@pytest.mark.parametrize("csrf", ["", "wrong", "\udcff", "x" * 1000])
def test_a_form_needs_the_token_of_the_session(shared: tuple[Client, str], csrf: str) -> None:
    client, id = shared
    body = f"id={id}&verdict=good&csrf=".encode() + csrf.encode("utf-8", "surrogatepass")
    assert client.ask("POST", "/judge", body=body).status in (400, 403)


def test_a_form_is_bounded(shared: tuple[Client, str]) -> None:
    client, id = shared
    assert client.ask("POST", "/judge", {"id": id, "why": "x" * MOST_FORM_BYTES}).status == 413
    assert client.ask("POST", "/judge", {f"field{at}": "" for at in range(60)}).status == 400


def test_the_token_is_exchanged_once_and_is_void_then() -> None:
    session = Session()
    token = session.token
    assert not session.exchange("")
    assert not session.exchange(token + "x")
    assert session.exchange(token)
    assert not session.exchange(token)
    assert not session.exchange("")
    assert session.token == ""


@pytest.mark.parametrize("site", ["", "none", "cross-site"])
def test_from_wherever_the_link_is_opened_the_entry_page_answers(store: SqliteStore, site: str) -> None:
    serving = Serving(store)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    try:
        client = Client(serving)
        path = serving.url.removeprefix(f"http://{client.host}")
        assert re.fullmatch(r"/enter\?token=[\w-]{43}", path)
        assert client.ask("GET", path + "x", sec_fetch_site=site).status == 403
        assert client.ask("GET", path, host="rebound.example").status == 403
        assert client.ask("GET", path, origin="http://evil.example").status == 403
        assert client.ask("HEAD", path).status == 403  # A program that looks at links does not use it up.
        found = client.ask("GET", path, sec_fetch_site=site)
        assert found.status == 200
        assert "location" not in found.headers
        assert '<meta http-equiv="refresh" content="0; url=/">' in found.text
        assert found.headers["referrer-policy"] == "no-referrer"
        name = re.escape(serving.session.cookie_name)
        assert re.fullmatch(rf"{name}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict", found.headers["set-cookie"])
        again = client.ask("GET", path, sec_fetch_site=site)
        assert again.status == 403
        assert "set-cookie" not in again.headers
        assert "already used" in again.text
    finally:
        serving.stop()
        thread.join(10)


def test_every_answer_has_the_headers(shared: tuple[Client, str]) -> None:
    client, id = shared
    answers = [
        client.get("/"),
        client.get("/static/inspector.css"),
        client.get("/nothing"),
        client.get("/static/../app.py"),
        client.ask("GET", "/", cookie=""),
        client.ask("PUT", "/"),
        client.ask("GET", "/enter?token=wrong"),
        client.post("/judge", id=id, verdict="good"),
        client.get(f"/export?id={id}"),
    ]
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    for answer in answers:
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer")
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


def test_two_inspectors_do_not_accept_each_others_cookies(store: SqliteStore) -> None:
    with served(store) as one, served(store) as other:
        assert one.serving.session.cookie_name != other.serving.session.cookie_name
        both = f"{one.cookie}; {other.cookie}"
        assert one.ask("GET", "/", cookie=both).status == other.ask("GET", "/", cookie=both).status == 200
        assert one.ask("GET", "/", cookie=other.cookie).status == 403
        value = other.cookie.partition("=")[2]
        assert one.ask("GET", "/", cookie=one.cookie.replace("=", "x=")).status == 403
        assert one.ask("GET", "/", cookie=f"{one.serving.session.cookie_name}={value}").status == 403
        id = next(each(store)).sealed.id
        stolen = {"id": id, "verdict": "good", "csrf": other.serving.session.csrf}
        assert one.ask("POST", "/judge", stolen).status == 403


def test_read_only_has_no_route_for_a_change_and_no_form(store: SqliteStore) -> None:
    with served(store, why_read_only="--read-only was given") as client:
        id = next(each(store)).sealed.id
        for path in ("/judge", "/forget", "/flow", "/", f"/trajectory/{id}", "/run/1", "/nothing"):
            assert client.post(path, id=id, verdict="good").status in (404, 405)
        for path in ("/", "/review", "/trajectories", f"/trajectory/{id}", "/lint"):
            page = client.get(path).text
            assert 'method="post"' not in page
            assert "--read-only was given" in page
        assert store.get(id) is not None


def test_it_binds_the_loopback_alone(shared: tuple[Client, str]) -> None:
    assert shared[0].serving._socket.getsockname()[0] == "127.0.0.1"
