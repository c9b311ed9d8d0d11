"""The families of programs: agents that create and use, look up, choose, page, and read texts."""

from __future__ import annotations

from typing import Any

from flow_programs import CITIES, GOODS, NAMES, Program, Taken, dig, family


def creator(p: Program, thing: str = "", *parameters: str, style: str = "") -> str:
    """A tool that makes an entity and answers with its id."""
    thing = thing or p.thing
    field = p.field.replace(p.thing, thing)
    return p.creates(
        f"create_{thing}",
        *(parameters or ("what",)),
        answer=lambda w, given: w.shaped({field: w.new_id(style, thing), "state": "new"}, thing),
    )


def lister(p: Program, *parameters: str, least: int = 3, most: int = 7, name: str = "") -> str:
    """A tool that lists entities of the run."""
    return p.reads(
        name or f"list_{p.thing}s",
        *parameters,
        answer=lambda w, given: w.shaped({"items": w.records(least, most)}, "list"),
    )


def constant(p: Program) -> str:
    return p.rng.choice(GOODS)


@family(13)
def create_then_use(p: Program) -> None:
    """`pay(create_order()["order_id"])`, with up to two more uses, and sometimes a look at it in between."""
    create, item = creator(p), constant(p)
    look = p.reads(f"get_{p.thing}", p.argument, answer=lambda w, given: w.drift({"state": "new"}))
    p.with_uses()
    looks = p.rng.random() < 0.4

    def agent(run: Any) -> None:
        made = run.do(create, what=item)
        value = Taken("key", dig(made, p.field), f"{create}.{p.field}")
        if looks:
            run.do(look, **{p.argument: value})
        p.use(run, value, times=3)

    p.agent = agent


@family(9)
def id_over_three_steps(p: Program) -> None:
    """A customer, an account for it, an order for that; the last steps take all three ids."""
    first = creator(p, "customer", "name")
    second = creator(p, "account", "customer_id")
    third = creator(p, "order", "account_id", "item")
    finish = p.writes("finish", "order_id", "customer_id")
    item, name = constant(p), p.rng.choice(NAMES)
    fields = [p.field.replace(p.thing, thing) for thing in ("customer", "account", "order")]

    def agent(run: Any) -> None:
        customer = Taken("key", dig(run.do(first, name=name), fields[0]))
        account = Taken("key", dig(run.do(second, customer_id=customer), fields[1]))
        order = Taken("key", dig(run.do(third, account_id=account, item=item), fields[2]))
        run.do(finish, order_id=order, customer_id=customer)

    p.agent = agent


@family(5)
def session_token(p: Program) -> None:
    """A random token from a login goes into each call."""
    login = p.creates("login", "user", answer=lambda w, given: w.shaped({"token": w.id(0, "hex", "token")}, "login"))
    create = creator(p, "", "token", "what")
    use = p.writes(f"use_{p.thing}", "token", p.argument)
    item = constant(p)

    def agent(run: Any) -> None:
        token = Taken("key", dig(run.do(login, user="robot"), "token"))
        made = run.do(create, token=token, what=item)
        run.do(use, **{"token": token, p.argument: Taken("key", dig(made, p.field))})

    p.agent = agent


@family(7)
def lookup_by_param(p: Program) -> None:
    """The entity whose name is the param, in a list."""
    find = lister(p)
    p.with_uses(2)
    tell = p.writes("tell", "name", "text")
    p.params = lambda w: {"name": w.random("who").choice(w.records())["name"]}

    def agent(run: Any) -> None:
        items = dig(run.do(find), "items")
        [chosen] = [one for one in items if one["name"] == run.given["name"]]
        p.use(run, Taken("only", chosen[p.field], "items[name=param].id"))
        run.do(tell, name=Taken("param", run.given["name"]), text="done")

    p.agent = agent


@family(6)
def lookup_by_argument(p: Program) -> None:
    """A search by a fixed name finds several entities; the one with exactly this name is used."""
    name = p.rng.choice(NAMES)

    def found(w: Any, given: Any) -> Any:
        items = w.records(2, 5)
        w.random("which").choice(items)["name"] = given["name"]
        others = [one for one in items if one["name"] == given["name"]]
        for number, one in enumerate(others[1:]):  # names are sampled, so that there is at most one more
            one["name"] = f"{given['name']} {number + 2}"
        return w.shaped({"items": items}, "found")

    search = p.reads("search", "name", answer=found)
    p.with_uses(2)

    def agent(run: Any) -> None:
        items = dig(run.do(search, name=name), "items")
        chosen = next(one for one in items if one["name"] == name)
        p.use(run, Taken("only", chosen[p.field], "items[name=argument].id"))

    p.agent = agent


@family(6)
def first_of_list(p: Program) -> None:
    find = lister(p, "sort", least=1)
    p.with_uses(2)
    p.agent = lambda run: p.use(run, Taken("first", dig(run.do(find, sort="date"), "items")[0][p.field], "items[0].id"))


@family(4)
def last_of_list(p: Program) -> None:
    find = lister(p, "sort", least=1)
    p.with_uses(2)
    p.agent = lambda run: p.use(
        run, Taken("last", dig(run.do(find, sort="date"), "items")[-1][p.field], "items[-1].id")
    )


@family(3)
def cheapest(p: Program) -> None:
    """A choice by a number: the smallest, or the largest."""
    find = lister(p)
    p.with_uses(1)
    choose: Any = p.rng.choice((min, min, max))

    def agent(run: Any) -> None:
        chosen = choose(dig(run.do(find), "items"), key=lambda one: one["price"])
        p.use(run, Taken("cheapest", chosen[p.field], f"{choose.__name__}(items, price).id"))

    p.agent = agent


@family(2)
def nth_of_list(p: Program) -> None:
    at = p.rng.choice((1, 1, 2))
    find = lister(p, least=4)
    p.with_uses(1)
    p.agent = lambda run: p.use(run, Taken("nth", dig(run.do(find), "items")[at][p.field], f"items[{at}].id"))


@family(3)
def first_that_is_open(p: Program) -> None:
    """A filter: the first entity with a state, of which there is one in each run."""
    _first_open(p, always=True)


@family(1)
def open_one_or_none(p: Program) -> None:
    """A filter that finds nothing in some runs; then the agent does no more."""
    _first_open(p, always=False)


def _first_open(p: Program, *, always: bool) -> None:
    p.has_states = True

    def answer(w: Any, given: Any) -> Any:
        items = w.records(2, 5)
        if always and all(one["state"] != "open" for one in items):
            w.random("opened").choice(items)["state"] = "open"
        return w.shaped({"items": items}, "list")

    find = p.reads(f"list_{p.thing}s", answer=answer)
    p.with_uses(1)

    def agent(run: Any) -> None:
        chosen = next((one for one in dig(run.do(find), "items") if one["state"] == "open"), None)
        if chosen is not None:
            p.use(run, Taken("filter", chosen[p.field], "first(items, state=open).id"))

    p.agent = agent


@family(4)
def judgement(p: Program) -> None:
    """An agent that picks an element for a reason that is in no output."""
    find = lister(p, least=4, most=9)
    p.with_uses(1)

    def agent(run: Any) -> None:
        items = dig(run.do(find), "items")
        at = run.chance("pick").randrange(len(items))
        place = "first" if at == 0 else "last" if at == len(items) - 1 else f"items[{at}]"
        p.use(run, Taken("judgement", items[at][p.field], place))

    p.agent = agent


@family(6)
def twins(p: Program) -> None:
    """Two calls of one tool: the origin and the destination of a trip, by params or fixed."""
    city = p.reads(
        "find_place",
        "name",
        answer=lambda w, given: w.shaped(
            {
                "place_id": w.id(w.random("places").sample(CITIES, 12).index(given["name"]), what="place"),
                "name": given["name"],
            }
        ),
    )
    book = p.writes("book_trip", "origin_id", "destination_id")
    fixed = p.rng.sample(CITIES, 2)
    by_param = p.rng.random() < 0.6
    if by_param:
        p.params = lambda w: dict(zip(("origin", "destination"), w.random("trip").sample(CITIES, 2), strict=True))

    def agent(run: Any) -> None:
        names = [run.given["origin"], run.given["destination"]] if by_param else fixed
        here, there = (
            dig(run.do(city, name=Taken("param" if by_param else "constant", name)), "place_id") for name in names
        )
        run.do(
            book,
            origin_id=Taken("key", here, "find_place#1.place_id"),
            destination_id=Taken("key", there, "find_place#2.place_id"),
        )

    p.agent = agent


@family(4)
def pagination(p: Program) -> None:
    """Pages by a cursor; the first entity of the last page is used. Their number is another one in one run of five."""
    usual = p.rng.choice((2, 2, 3))

    def page(w: Any, given: Any) -> Any:
        count = usual + (w.random("pages").random() < 0.2)
        cursors = [None, *(w.id(at, "code", "cursor") for at in range(1, count))]
        at = cursors.index(given["cursor"]) if given["cursor"] in cursors else 0
        following = cursors[at + 1] if at + 1 < count else None
        return w.shaped({"items": w.records(2, 4, f"page {at}"), "next": following}, "page")

    find = p.reads(f"list_{p.thing}s", "cursor=None", answer=page)
    p.with_uses(1)

    def agent(run: Any) -> None:
        output = run.do(find, cursor=None)
        while dig(output, "next") is not None:
            output = run.do(find, cursor=Taken("key", dig(output, "next"), "next"))
        p.use(run, Taken("first", dig(output, "items")[0][p.field], "items[0].id"))

    p.agent = agent


@family(3)
def optional_result(p: Program) -> None:
    """A search that finds an entity or nothing; then the agent creates one."""

    def found(w: Any, given: Any) -> Any:
        there = w.random("there").random() < 0.6
        return w.shaped({"match": {p.field: w.id(20, what="match")} if there else None}, "match")

    search, create = p.reads("search", "text", answer=found), creator(p)
    p.with_uses(1)
    item = constant(p)

    def agent(run: Any) -> None:
        match = dig(run.do(search, text=item), "match")
        if match is None:
            match = run.do(create, what=item)
        p.use(run, Taken("key", dig(match, p.field), "match.id"))

    p.agent = agent


@family(2)
def each_of_list(p: Program) -> None:
    """A call for each entity of a list: positions, which may not act."""
    find = lister(p, least=2, most=4)
    p.with_uses(1)

    def agent(run: Any) -> None:
        for at, one in enumerate(dig(run.do(find), "items")):
            p.use(run, Taken("each", one[p.field], f"items[{at}].id"))

    p.agent = agent


@family(4)
def detail_of_a_found_one(p: Program) -> None:
    """List, look at the first, use what its details hold."""
    find = lister(p, least=2)
    detail = p.reads(
        f"get_{p.thing}",
        p.argument,
        answer=lambda w, given: w.shaped({"account_id": w.id(30, "long", f"account of {given[p.argument]}")}, "detail"),
    )
    charge = p.writes("charge", "account_id")

    def agent(run: Any) -> None:
        first = dig(run.do(find), "items")[0]
        output = run.do(detail, **{p.argument: Taken("first", first[p.field], "items[0].id")})
        run.do(charge, account_id=Taken("key", dig(output, "account_id"), "account_id"))

    p.agent = agent
