"""Tasks of the demo: MiniWoB++ pages, the data in instructions, changes of pages."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The inner script runs after the search, when the page has shown the results.
AFTER_SEARCH = """
document.getElementById('search').addEventListener('click', () => setTimeout(() => {{ {} }}, 0));
"""
COOKIE_NOTICE = """
const notice = document.createElement('div');
notice.style = 'position:absolute; left:0; top:22px; width:156px; height:120px; background:#eee; z-index:50';
notice.innerHTML = '<p>We use cookies.</p><button>Understood</button>';
notice.querySelector('button').onclick = () => notice.remove();
document.getElementById('area').append(notice);
"""
BANNER = """
const banner = document.createElement('p');
banner.innerText = 'Now with a new look!';
document.getElementById('area').prepend(banner);
"""
NEW_MAIL = """
const mail = document.createElement('div');
mail.className = 'email-thread';
mail.innerHTML = '<div class="email-left"><div class="email-sender">Newsletter</div>'
  + '<div class="email-subject">This week.</div></div>';
document.getElementById('main-header').after(mail);
"""
REVERSE_ROWS = """
const table = document.querySelector('#area table');
table.append(...[...table.rows].reverse());
"""
REVERSE_FLIGHTS = """
const results = document.getElementById('results');
results.append(...[...results.querySelectorAll('.flight')].reverse());
"""
SIGN_IN = "document.getElementById('subbtn').innerText = 'Sign in';"


@dataclass(frozen=True)
class Task:
    """Task of the demo. The groups of `data` are the varying parts of instructions."""

    title: str
    page: str
    data: str
    seed: str
    other_seeds: tuple[str, ...]
    change: str
    changed: str

    def params(self, instruction: str) -> dict[str, str]:
        """Return the data of an instruction. Raises ValueError for another task's."""
        found = re.fullmatch(self.data, instruction)
        if found is None:
            raise ValueError(f"instruction for {self.page}: expected a match of {self.data!r}, got {instruction!r}")
        return found.groupdict()


TASKS = (
    Task(
        title="log in",
        page="login-user",
        data=r'Enter the username "(?P<username>.+)" and the password "(?P<password>.+)" into .*',
        seed="1",
        other_seeds=("4",),
        change=SIGN_IN,
        changed="the button now reads Sign in",
    ),
    Task(
        title="fill in a form",
        page="multi-orderings",
        data=r"Search for (?P<genre>.+) movies directed by (?P<director>.+) from year (?P<year>\d+)\.",
        seed="1",
        other_seeds=("4", "5"),
        change=REVERSE_ROWS,
        changed="the fields stand in another order",
    ),
    Task(
        title="choose from a list",
        page="choose-list",
        data=r"Select (?P<choice>.+) from the list and click Submit\.",
        seed="0",
        other_seeds=("12",),
        change=BANNER,
        changed="a banner moves everything down",
    ),
    Task(
        title="answer an e-mail",
        page="email-inbox-reply",
        data=r'Find the email by (?P<sender>.+) and reply to them with the text "(?P<answer>.+)"\.',
        seed="3",
        other_seeds=("14", "0", "2"),
        change=NEW_MAIL,
        changed="a new mail came in on top",
    ),
    Task(
        title="search the web",
        page="search-engine",
        data=r'Use the textbox to enter "(?P<query>.+)" and press "Search", .*',
        seed="23",
        other_seeds=("21",),
        change=AFTER_SEARCH.format(COOKIE_NOTICE),
        changed="a cookie notice covers the results",
    ),
    Task(
        title="book a flight",
        page="book-flight-nodelay",
        data=r"Book the \w+ one-way flight from: (?P<start>.+) to: (?P<end>.+) on (?P<date>[\d/]+)\.",
        seed="5",
        other_seeds=("10",),
        change=AFTER_SEARCH.format(REVERSE_FLIGHTS),
        changed="the flights are listed in another order",
    ),
)
