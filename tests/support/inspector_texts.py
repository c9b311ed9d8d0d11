"""Trajectories and runs all of whose texts are one given text, and 200 texts that try to become markup or scripts."""

from __future__ import annotations

from typing import Any

import msgspec

from cli_cases import lit, plain_body, plain_row
from muscle_mem._core import codec
from muscle_mem._core.model.records import Guard, Node, Par, Ref, Sec, StepRecord, Tpl
from muscle_mem.store import Observation, Sealed, Tally
from muscle_mem.store.base import Note
from muscle_mem.store.history import DayCount, HistoryBatch, PastRun, day_of


def seal_text(store: Any, at: int, text: str, now: float = 1e9) -> str:
    """Store a trajectory, a run and a count with this text everywhere, and return the trajectory's id."""
    id, key, plain = f"{at:032x}", at.to_bytes(32, "big"), text.encode("utf-8", "backslashreplace").decode()
    name, short = plain[:300], text[:500]
    steps = (
        StepRecord(name, name, ((name, lit(text)), ("value", lit({text: [text]}))), pre=name, post=name),
        StepRecord(
            f"{name}2",
            name,
            (
                ("param", Par(name)),
                ("template", Tpl((name, name, name))),
                ("output", Ref(0)),
                ("secret", Sec(name)),
                ("node", Node("list", (Par(name), lit(text)))),
            ),
            guards=(Guard(0, (), codec.encode(text)),),
            instance=name,
        ),
    )
    body = plain_body(*steps, params=(name,), kinds=("str",), fixed=((name, b"x"),), equal=((name, name),))
    seen = codec.encode(text)
    row = plain_row(2, pre=(seen, None), post=(seen, None), outputs=(seen, b""), notes=("", name), effects=(name, name),
                    origins=((name,), (name,)), task=(name, name, name), seconds=(1.0, 2.0))  # fmt: skip
    store.seal(
        Sealed(id=id, key=key, body=msgspec.msgpack.encode(body), steps=2, task=text, scope=short, tags=(short,)),
        Observation(id=id[::-1], body=msgspec.msgpack.encode(row), created=now),
        Note(id=id, state="quarantined", reason=short, checks=(Tally(f"{short} pre", 1, 9),), by_person=True),
    )
    run = PastRun(id=short, at=now, status=text[:50], reason=short, key=key, task=text[:9000], tool=short,
                  message=text, step=0, seen=text, expected=text[::-1], seen_data=seen, calls=(text[:9000],),
                  expected_data=codec.encode(text[::-1]), trajectory_id=id, not_learned=short, scope=short)  # fmt: skip
    count = DayCount(key=key, day=day_of(now), status="miss", reason=short, task=text[:9000], scope=short, runs=1)
    store.add_history(HistoryBatch(id=id, runs=(run,), counts=(count,)))
    return id


CALL = "window.__hit=(window.__hit||0)+1"
_SHAPES = """
<script>{c}</script>
</script><script>{c}</script>
</title><script>{c}</script>
<img src=x onerror='{c}'>
<svg onload='{c}'>
<svg><script>{c}</script></svg>
"><script>{c}</script>
'><img src=x onerror={c}>
" onmouseover="{c}" x="
' onfocus='{c}' autofocus x='
</textarea><script>{c}</script>
</pre><script>{c}</script>
</option></select><script>{c}</script>
<iframe srcdoc='<script>parent.{c}</script>'>
<a href='javascript:{c}'>x</a>
javascript:{c}
<body onload={c}>
<details open ontoggle={c}>
<style>*{{background:url(javascript:{c})}}</style>
<link rel=stylesheet href=javascript:{c}>
<meta http-equiv=refresh content='0;url=javascript:{c}'>
<base href='//evil.example/'>
<form action=javascript:{c}><button autofocus>
<object data='javascript:{c}'>
<embed src='javascript:{c}'>
<math><mi xlink:href='javascript:{c}'>
{{{{ {c} }}}}
{{% raw %}}<script>{c}</script>
${{{c}}}
&lt;script&gt;{c}&lt;/script&gt;
&#60;script&#62;{c}&#60;/script&#62;
\\x3cscript\\x3e{c}\\x3c/script\\x3e
<!--<script>{c}//--></script>
<![CDATA[<script>{c}</script>]]>
]]><script>{c}</script>
<xml:script>{c}</xml:script>
<video><source onerror={c}>
<marquee onstart={c}>
<input autofocus onfocus={c}>
data: x\\n\\nevent: run\\ndata: <script>{c}</script>
""".strip().split("\n")
_WRAPS = ("{s}", "a {s} b", "{s}\n{s}", "\u202e{s}", "\x00{s}")
SCRIPTS = [wrap.replace("{s}", shape.replace("\\n", "\n").format(c=CALL)) for shape in _SHAPES for wrap in _WRAPS]
"""200 texts; in a page that took one of them as markup, a script would count in `window.__hit`."""
