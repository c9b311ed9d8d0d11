"""A greeter that remembers: the agent works once, its tool calls are replayed, and a check says for how long.

Run it with `python examples/greeter.py`. It needs nothing but muscle_mem.
"""

import time
from dataclasses import dataclass

from muscle_mem import Check, Engine

# The engine keeps what it learns. Without an argument it keeps it in memory;
# Engine("greeter.db") would keep it in a SQLite file, for the next process too.
engine = Engine()


# What a check looks at. Anything will do: a dataclass, a dict, a number, a text.
@dataclass
class T:
    name: str
    time: float


# `capture` looks at the world just before the tool runs; it gets the tool's own arguments.
# While the agent works, its result is stored; in a replay, it is taken anew.
def capture(name: str) -> T:
    return T(name=name, time=time.time())


# `compare` gets both, what is seen now and what was seen then, and says whether the call may be repeated.
# Here: as long as the recording is no older than a second.
def compare(current: T, candidate: T) -> bool:
    return current.time - candidate.time <= 1


# A tool is any function that acts on the world. The decorator leaves it a plain function;
# only while the engine runs a task is the call recorded.
@engine.tool(pre_check=Check(capture, compare))
def hello(name: str) -> None:
    time.sleep(0.1)
    print(f"hello {name}")


# The agent decides which tools to call. Yours would ask a model; this one is a loop.
def agent(name: str) -> None:
    for i in range(9):
        hello(name + " + " + str(i))


engine.set_agent(agent)


def told(cache_hit: object) -> str:
    return "-> a hit: replayed, no agent" if cache_hit else "-> a miss: the agent worked"


# The first time, nothing is known: the agent runs, and its nine calls are stored.
cache_hit = engine("erik")
print(told(cache_hit))
assert not cache_hit

# The second time they are replayed, each after its check, and the agent is not called at all.
cache_hit = engine("erik")
print(told(cache_hit))
assert cache_hit

# Three seconds later the first check says no, so nothing is replayed and the agent runs again.
time.sleep(3)
cache_hit = engine("erik")
print(told(cache_hit))
assert not cache_hit
