"""Measures how well the engine of `checks.screen_text` reads the screens of measure_images.py, and how alike texts are.

    python scripts/measure_texts.py             the table of docs/guides/checks.md

Needs the extra `ocr`.
"""

from __future__ import annotations

import runpy
import time
from pathlib import Path

from muscle_mem.checks import image, pictures, text

SCREENS = 12


def main() -> None:
    names = runpy.run_path(str(Path(__file__).parent / "measure_images.py"))
    cases = {**names["SAME"], **{name: names["CHANGED"][name] for name in ("another text on the button", "dark mode")}}
    cases["the button is disabled"] = names["CHANGED"]["the button is disabled"]
    cases["a caret blinks beside the button"] = names["BETWEEN"]["a caret blinks beside the button"]
    cases["all of it moved by one pixel"] = names["BETWEEN"]["all of it moved by one pixel"]
    text.read_by_engine(part_of(names, names["SAME"]["the same picture"], 0))  # loads it
    read = {
        number: text.read_by_engine(part_of(names, names["SAME"]["the same picture"], number))
        for number in range(SCREENS)
    }
    right = sum(text.folded(names["Look"](number).word) in text.folded(said) for number, said in read.items())
    print(f"the word on the button was read on {right} of {SCREENS} screens")
    print("| what is seen | equal | lowest ratio | highest ratio |\n| --- | --- | --- | --- |")
    began = time.perf_counter()
    for name, draw in cases.items():
        ratios = sorted(
            text.similarity(text.read_by_engine(part_of(names, draw, number)), read[number])
            for number in range(SCREENS)
        )
        equal = sum(ratio == 1.0 for ratio in ratios)
        print(f"| {name} | {equal} of {SCREENS} | {ratios[0]:.2f} | {ratios[-1]:.2f} |")
    print(f"\n{(time.perf_counter() - began) / SCREENS / len(cases):.2f} s a reading on this machine")


def part_of(names: dict[str, object], draw: object, number: int) -> pictures.Bytes:
    look = names["Look"](number)  # type: ignore[operator]  # a class of the example, which was run, not imported
    whole = pictures.as_array(draw(number))  # type: ignore[operator]  # a function of it
    return pictures.cut(whole, image.box_around(look.x, look.y, image.AROUND))


if __name__ == "__main__":
    main()
