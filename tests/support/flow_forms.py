"""The families of programs whose outputs have other forms, or whose arguments are made from them."""

from __future__ import annotations

import datetime
from typing import Any

from flow_families import constant, creator
from flow_programs import Program, Receipt, Taken, as_json, dig, family


@family(5)
def json_in_text(p: Program) -> None:
    """An output that is a text with JSON in it."""
    create = p.creates(
        f"create_{p.thing}", "what", answer=lambda w, given: as_json(w.shaped({p.field: w.new_id(), "state": "new"}))
    )
    p.with_uses(2)
    item = constant(p)

    def agent(run: Any) -> None:
        made = dig(run.parse(run.do(create, what=item)), p.field)
        p.use(run, Taken("json", made, f"json(output).{p.field}"))

    p.agent = agent


@family(5)
def mcp_content(p: Program) -> None:
    """An MCP result: a list of contents, of which one is a text with JSON."""

    def answer(w: Any, given: Any) -> Any:
        text = {"type": "text", "text": as_json(w.shaped({p.field: w.new_id()}))}
        contents = [text] if p.seed % 2 else [text, {"type": "text", "text": "Created."}]
        return {"content": contents, "isError": False}

    create = p.creates(f"create_{p.thing}", "what", answer=answer)
    p.with_uses(2)
    item = constant(p)

    def agent(run: Any) -> None:
        made = dig(run.parse(run.do(create, what=item)["content"][0]["text"]), p.field)
        p.use(run, Taken("mcp", made, f"content[0].json.{p.field}"))

    p.agent = agent


@family(6)
def id_in_plain_text(p: Program) -> None:
    """A sentence with the id in it: "Ticket T-7001 was opened."."""
    form = p.rng.choice(
        (
            "{Thing} {id} was opened.",
            "Created {thing} {id} for {name}.",
            "OK. The {thing} has number {id}, and {count} others are waiting.",
            "Success\n{Thing}: {id}\nState: new\n",
        )
    )

    def answer(w: Any, given: Any) -> str:
        rng = w.random("text")
        facts = {"thing": p.thing, "Thing": p.thing.capitalize(), "id": w.new_id(), "count": rng.randrange(2, 9)}
        return form.format(**facts, name=rng.choice(("Ann", "Bob", "Cho")))

    create = p.creates(f"create_{p.thing}", "what", answer=answer)
    p.with_uses(2)
    item = constant(p)
    before, _, after = form.partition("{id}")
    word = before.split()[-1].format(thing=p.thing, Thing=p.thing.capitalize()) if before.split() else ""

    def agent(run: Any) -> None:
        text = run.do(create, what=item)
        found = text.partition(f"{word} ")[2].split()[0].rstrip(".,")
        p.use(run, Taken("text", found, f"text after {word!r}, before {after[:8]!r}"))

    p.agent = agent


@family(4)
def nested_containers(p: Program) -> None:
    """An id deep in the output goes deep into an argument."""
    create = p.creates(
        f"create_{p.thing}",
        "what",
        answer=lambda w, given: w.shaped(
            {"body": {"entries": [w.drift({p.field: w.new_id(), "kind": "main"}, "entry")], "count": 1}}, "body"
        ),
    )
    send = p.writes("send", "message")
    item = constant(p)

    def agent(run: Any) -> None:
        made = run.do(create, what=item)
        value = Taken("first", dig(made, "entries")[0][p.field], "body.entries[0].id")
        run.do(send, message={"subject": {"kind": p.thing, p.argument: value}, "tags": ["new", value]})

    p.agent = agent


@family(3)
def field_of_an_object(p: Program) -> None:
    """An output that is a dataclass."""
    create = p.creates(
        f"create_{p.thing}", "what", answer=lambda w, given: Receipt(w.new_id(), "new", w.random("total").randrange(99))
    )
    use = p.writes("close", p.rng.choice(("number", "receipt_number", p.argument)))
    item = constant(p)

    def agent(run: Any) -> None:
        made = run.do(create, what=item)
        run.do(use, **{p.tools[use].parameters[0]: Taken("field", made.number, ".number")})

    p.agent = agent


@family(3)
def part_of_a_tuple(p: Program) -> None:
    create = p.creates(
        f"create_{p.thing}", "what", answer=lambda w, given: ("created", w.new_id(), w.random("n").randrange(9))
    )
    p.with_uses(2)
    item = constant(p)
    p.agent = lambda run: p.use(run, Taken("tuple", run.do(create, what=item)[1], "[1]"))


@family(4)
def number_and_text(p: Program) -> None:
    """A number is passed on as its text, or the other way round."""
    as_text = p.rng.random() < 0.5
    create = p.creates(
        f"create_{p.thing}",
        "what",
        answer=lambda w, given: w.shaped({p.field: w.new_id("thousand") if as_text else str(w.new_id("thousand"))}),
    )
    p.with_uses(2)
    item, convert = constant(p), str if as_text else int

    def agent(run: Any) -> None:
        made = dig(run.do(create, what=item), p.field)
        p.use(run, Taken("convert", convert(made), f"{convert.__name__}({p.field})"))

    p.agent = agent


@family(2)
def other_case(p: Program) -> None:
    """An id in capitals, or with white space around it, is passed on in the other form."""
    strips = p.rng.random() < 0.4
    form: Any = (lambda id: f" {id}\n") if strips else (lambda id: id)
    create = p.creates(f"create_{p.thing}", "what", answer=lambda w, given: w.shaped({p.field: form(w.new_id("code"))}))
    p.with_uses(1)
    item, convert = constant(p), str.strip if strips else str.lower

    def agent(run: Any) -> None:
        made = dig(run.do(create, what=item), p.field)
        p.use(run, Taken("convert", convert(made), f"{convert.__name__}({p.field})"))

    p.agent = agent


@family(2)
def date_of_a_time(p: Program) -> None:
    """The ISO date of a date-time."""

    def answer(w: Any, given: Any) -> Any:
        day = datetime.datetime(2031, 1, 5, 9, 30) + datetime.timedelta(days=w.random("day").randrange(900))
        return w.shaped({"starts_at": day.isoformat(), "room": "main"}, "slot")

    slot = p.reads("next_slot", "room", answer=answer)
    plan = p.writes("plan", "day", "what")
    item = constant(p)

    def agent(run: Any) -> None:
        day = dig(run.do(slot, room="main"), "starts_at")[:10]
        run.do(plan, day=Taken("date", day, "date(starts_at)"), what=item)

    p.agent = agent


@family(2)
def due_date(p: Program) -> None:
    """A date under its name."""
    ask = p.reads(
        "get_terms",
        "what",
        answer=lambda w, given: w.shaped(
            {"due": (datetime.date(2031, 1, 5) + datetime.timedelta(days=w.random("due").randrange(900))).isoformat()}
        ),
    )
    plan = p.writes("remind", "due", "text")
    item = constant(p)
    p.agent = lambda run: run.do(plan, due=Taken("date", dig(run.do(ask, what=item), "due"), "due"), text="pay")


@family(3)
def joined_text(p: Program) -> None:
    """A text that is made around an id."""
    create = creator(p)
    note = p.writes("note", "text")
    item = constant(p)
    form = p.rng.choice(("{thing}-{id}", "Your {thing} {id} is ready.", "/{thing}s/{id}/edit", "re: {id}"))

    def agent(run: Any) -> None:
        made = dig(run.do(create, what=item), p.field)
        run.do(note, text=Taken("joined", form.format(thing=p.thing, id=made), f"{form} of {p.field}"))

    p.agent = agent


@family(2)
def small_values(p: Program) -> None:
    """A quantity or a seat below a hundred, under its name or under another."""
    name = p.rng.choice(("seat", "quantity"))
    ask = p.reads("ask", "what", answer=lambda w, given: w.shaped({name: w.random("small").randrange(2, 60)}, "small"))
    use = p.writes("reserve", p.rng.choice((name, name, "value")), "what")
    item = constant(p)

    def agent(run: Any) -> None:
        value = Taken("small", dig(run.do(ask, what=item), name), name)
        run.do(use, **{p.tools[use].parameters[0]: value, "what": item})

    p.agent = agent


@family(3)
def amount_to_pay(p: Program) -> None:
    """A bill's number and its amount, a number from a hundred or with cents."""
    cents = p.rng.random() < 0.5

    def answer(w: Any, given: Any) -> Any:
        amount = w.random("amount").randrange(10_000, 900_000)
        return w.shaped({p.field: w.new_id(), "amount": amount / 100 if cents else amount, "currency": "EUR"}, "bill")

    bill = p.creates("make_bill", "what", answer=answer)
    pay = p.writes("pay_bill", p.argument, "amount", "currency")
    item = constant(p)

    def agent(run: Any) -> None:
        made = run.do(bill, what=item)
        values = {p.argument: Taken("key", dig(made, p.field)), "amount": Taken("key", dig(made, "amount"))}
        run.do(pay, **values, currency="EUR")

    p.agent = agent


@family(3)
def made_up_values(p: Program) -> None:
    """A key or a wording that the agent makes up, beside an id that it does not."""
    create = creator(p)
    send = p.writes("send", p.argument, "idempotency_key" if p.seed % 2 else "text")
    item = constant(p)

    def agent(run: Any) -> None:
        made = dig(run.do(create, what=item), p.field)
        rng = run.chance("made up")
        text = (
            f"{rng.getrandbits(64):016x}" if p.seed % 2 else " ".join(rng.sample("please do it soon now ok".split(), 4))
        )
        run.do(send, **{p.argument: Taken("key", made), p.tools[send].parameters[1]: Taken("made", text)})

    p.agent = agent


@family(3)
def same_value_in_two_places(p: Program) -> None:
    """An id that another field held by chance in the first run, and never again."""
    create = p.creates(
        f"create_{p.thing}",
        "what",
        answer=lambda w, given: w.shaped(
            {p.field: (made := w.new_id()), "previous": made if w.turn == 0 else w.id(60, what="previous")}, "decoy"
        ),
    )
    p.with_uses(2)
    item = constant(p)

    def agent(run: Any) -> None:
        p.use(run, Taken("key", dig(run.do(create, what=item), p.field), p.field))

    p.agent = agent
