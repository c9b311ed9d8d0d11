"""Report phrases that the style guide replaces, in comments, docstrings, messages and pages: `python scripts/words.py`.

Exits with 1 if there are any. `--count` prints how often each phrase is found, and exits with 0.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("src", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs")

PHRASES = {
    r"anew": "again, or: re-recorded",
    r"amid": "during, or: among",
    r"till": "until",
    r"nobody(?:'s)?": "name the component, or use the passive",
    r"somebody(?:'s)?": "name the component, or use the passive",
    r"whoever|whomever": "name the component",
    r"(?:said|says?|saying) (?:no|yes)": "failed, or: passed",
    r"(?<![Tt]here )(?:is|are|was|were) no(?! longer\b| more\b| less\b| later\b| earlier\b)(?= \w)": "is not a",
    r"(?<![Tt]here )(?:is|are|was|were) none": "there is not any, or: None",
    r"lets? go|letting go": "release, or: unreferenced",
    r"of (?:its|their|his|one's) own": "separate, or: leave it out",
    r"for ever": "forever, or: without a limit",
    r"(?:held|hold|holds|holding) against": "compared with",
    r"tells?|telling|told": "report, log, return, pass",
    r"at once": "immediately, or: concurrently",
    r"hears?|hearing|heard": "receive",
    r"tend(?:s|ed|ing)": "maintain",
    r"heed(?:s|ed|ing)?": "read, or: use",
    r"noes": "refusals",
    r"lies? (?:beside|by|within|inside|between|behind|below|above)": "is",
    r"made good": "repaired, or: completed",
    r"by hand of|at hand": "available",
    r"what came of": "the result of",
    r"come to (?:its|their) (?:own )?end": "finish",
    r"comes? to (?:its|their) (?:own )?end": "finish",
    r"the like of|its like|their like": "its type",
    r"as ever": "as before",
    r"means nothing to": "has no effect on",
    r"all the same": "anyway, or: identical",
    r"a person's word|people's word": "a manual review",
    r"without more ado": "directly",
    r"is at it": "is running",
    r"not to be had": "not available",
    r"can(?:not)? be had": "be obtained",
    r"whose trouble|trouble of ours": "an internal error",
}
PATTERNS = {word: re.compile(rf"(?<![\w.-])(?:{word})(?![\w-])") for word in PHRASES}
ANY = re.compile(rf"(?<![\w.-])(?:{'|'.join(PHRASES)})(?![\w-])")


def main(arguments: list[str]) -> int:
    """Print what is found in the files checked, or in those given."""
    counting = "--count" in arguments
    places = [Path(each) for each in arguments if not each.startswith("-")] or [ROOT / each for each in CHECKED]
    counts: Counter[str] = Counter()
    for path in files(places):
        for line, text in prose(path):
            text = without_capitals(text)
            for word, pattern in PATTERNS.items() if ANY.search(text) else ():
                for found in pattern.finditer(text):
                    counts[word] += 1
                    if not counting:
                        print(f"{shown(path)}:{line}: {found.group()!r}: write {PHRASES[word]}")
    if counting:
        for word, count in counts.most_common():
            print(f"{count:5}  {word}")
        print(f"{sum(counts.values()):5}  in all")
    return 0 if counting else int(bool(counts))


def files(places: Iterable[Path]) -> Iterator[Path]:
    """The Python and Markdown files below these places."""
    for place in places:
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from (path for path in found if path.suffix in (".py", ".md"))


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of what people read in a file: in Python its comments and strings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from enumerate(without_code(text).split("\n"), 1)
        return
    lower = without_capitals(text)
    if not ANY.search(lower) and not ANY.search(without_names(lower)):
        return  # most files: to read them in tokens takes long
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            for offset, line in enumerate(without_names(token.string).split("\n")):
                yield token.start[0] + offset, line


def without_names(text: str) -> str:
    """A comment or string without the names in it: keys of one word, fields of f-strings, placeholders of SQL."""
    if not any(map(str.isspace, text)):
        return ""
    return re.sub(r"%\(\w+\)s", "", re.sub(r"\{[^{}\n]*\}", "", text))


def without_capitals(text: str) -> str:
    """A text whose words begin with a small letter, so that a phrase is found at the beginning of a sentence."""
    return re.sub(r"\b(?!None\b)[A-Z](?=[a-z])", lambda found: found.group().lower(), text)


def without_code(text: str) -> str:
    """A page with its code blocks and code spans emptied, line by line in place."""
    blocks = re.sub(r"(?ms)^```.*?^```", lambda found: "\n" * found.group().count("\n"), text)
    return re.sub(r"`[^`\n]*`", "``", blocks)


def shown(path: Path) -> str:
    """A path as short as it can be."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
