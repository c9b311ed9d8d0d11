"""A form of two fields and a button, drawn with Tk; `desktop_x.py` starts it on a display of its choice.

It writes a line of JSON for each click on Save, and empties the fields. `new` is another release of the same form, with
a line between its fields.
"""

from __future__ import annotations

import json
import sys
import tkinter

ROWS = {"old": ("name", "city", "save"), "new": ("name", "note", "city", "save")}
NOTE = "New: the city where the goods go."
ICONS = {"name": "#c01c28", "city": "#1c71d8", "save": "#26a269"}
BACKGROUND = "#f6f5f4"


def main(layout: str) -> None:
    root = tkinter.Tk()
    root.overrideredirect(True)  # There is no window manager.
    root.geometry("440x280+0+0")
    root.configure(background=BACKGROUND)
    tkinter.Label(root, text="New customer", font=("Helvetica", 18), background=BACKGROUND).place(x=24, y=16)
    entries: dict[str, tkinter.Entry] = {}
    left = 24

    def save() -> None:
        print(json.dumps({name: entry.get() for name, entry in entries.items()}), flush=True)
        for entry in entries.values():
            entry.delete(0, "end")

    for row, name in enumerate(ROWS[layout]):
        y = 66 + 52 * row
        if name == "note":
            tkinter.Label(root, text=NOTE, font=("Helvetica", 13), background=BACKGROUND).place(x=left, y=y)
            continue
        icon = tkinter.Frame(root, width=18, height=18, background=ICONS[name])
        icon.place(x=left, y=y + 6)
        if name == "save":
            look = {"background": "#deddda", "activebackground": "#deddda", "highlightthickness": 0}
            tkinter.Button(root, text="Save", command=save, font=("Helvetica", 14), **look).place(x=left + 30, y=y - 4)
            continue
        tkinter.Label(root, text=name.title(), font=("Helvetica", 14), background=BACKGROUND).place(x=left + 30, y=y)
        entry = tkinter.Entry(root, font=("Helvetica", 14), width=18, insertofftime=0, highlightthickness=0)
        entry.place(x=left + 100, y=y, height=30)
        entry.bind("<Button-1>", lambda event: event.widget.focus_force())
        entries[name] = entry
    root.update()
    print("ready", flush=True)
    root.mainloop()


if __name__ == "__main__":
    main(sys.argv[1])
