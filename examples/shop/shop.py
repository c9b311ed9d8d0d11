"""A shop of three pages on this machine: products, cart with an order form, and the confirmation.

`with open_shop() as shop:` serves it at `shop.url`. Its attributes change what the next page shows.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

STYLE = """
body { font: 16px sans-serif; margin: 24px 32px; color: #202124; background: #f6f7f9; }
ul { list-style: none; padding: 0; } li, form { background: white; border: 1px solid #dadce0; border-radius: 8px;
  padding: 12px 16px; margin: 8px 0; max-width: 420px; } li { display: flex; justify-content: space-between; }
button, .go { font: inherit; background: #1a5fb4; color: white; border: 0; border-radius: 6px; padding: 6px 12px;
  text-decoration: none; } label { display: block; margin: 6px 0; } .banner { background: #fff3cd; padding: 18px;
  border-radius: 8px; } b { min-width: 90px; }
"""


@dataclass
class Shop:
    """What the shop sells and how its pages look today, and the orders that it got."""

    url: str = ""
    products: dict[str, float] = field(default_factory=lambda: {"Blue mug": 12.0, "Green plate": 9.5, "Red bowl": 15.0})
    banner: str = ""
    pay_button: str = "Pay"
    orders: list[dict[str, str]] = field(default_factory=list)

    def answer(self, address: str, form: dict[str, str]) -> str:
        """Return the page at an address, after a form was sent to it."""
        parts = urlsplit(address)
        if parts.path == "/order":
            self.orders.append(form)
            name = html.escape(form.get("name", ""))
            return self._page(
                "Thank you", f"<p>Thank you, {name}.</p><p>Your order number is <b id=number>{self.number}</b></p>"
            )
        if parts.path == "/cart":
            return self._page("Your cart", self._cart(parse_qs(parts.query)["product"][0]))
        return self._page("Products", f"<ul>{''.join(map(self._product, self.products))}</ul>")

    @property
    def number(self) -> str:
        """The number of the latest order."""
        return f"S-{4000 + 7 * len(self.orders)}"

    def _page(self, title: str, body: str) -> str:
        banner = f"<p class=banner>{html.escape(self.banner)}</p>" if self.banner else ""
        return f"<!doctype html><title>{title}</title><style>{STYLE}</style>{banner}<h1>{title}</h1>{body}"

    def _product(self, name: str) -> str:
        told = html.escape(name)
        return (
            f"<li><b>{told}</b><span>{self.products[name]:.2f} EUR</span>"
            f"<form action=/cart style='all:unset'><button name=product value='{told}'>Add to cart</button></form></li>"
        )

    def _cart(self, product: str) -> str:
        told = html.escape(product)
        return f"""<p>{told}: <span id=total>{self.products[product]:.2f} EUR</span></p>
<form action=/order method=post><input type=hidden name=product value='{told}'>
<label>Name <input name=name></label><label>Street <input name=street></label>
<label>Delivery <select name=delivery><option>Post</option><option>Courier</option></select></label>
<label><input type=checkbox name=terms> I accept the terms</label>
<button>{html.escape(self.pay_button)}</button></form>"""


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Serve a new shop on a free port of 127.0.0.1."""
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._send({name: values[0] for name, values in parse_qs(sent).items()})

        def _send(self, form: dict[str, str]) -> None:
            page = shop.answer(self.path, form).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *words: object) -> None:
            """Keep the terminal clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shop.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
