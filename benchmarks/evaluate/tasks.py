"""The tasks with a solver: their instructions, with the data in them as named groups."""

from __future__ import annotations

from .agent import Policies
from .solvers import clicks, forms, reading

_BOXES = ((r"Select (?:nothing|(?P<items>.+)) and click Submit\.", forms.check_boxes),)
_TABS = ((r'Switch between the tabs to find and click on the link "(?P<link>.+)"\.', clicks.find_in_tabs),)
_SECTIONS = ((r'Expand the sections below, to find and click on the link "(?P<link>.+)"\.', clicks.find_in_sections),)
_SECTION = ((r"Expand the section below and click submit\.", clicks.open_section),)
_DATE = ((r"Select (?P<date>[\d/]+) as the date and hit submit\.", forms.pick_date),)
_MAIL = (
    (r"Find the email by (?P<sender>.+) and click the trash icon to delete it\.", clicks.deal_with_mail),
    (r"Find the email by (?P<sender>.+) and click the star icon to mark it as important\.", clicks.deal_with_mail),
    (r'Find the email by (?P<sender>.+) and reply to them with the text "(?P<answer>.+)"\.', clicks.deal_with_mail),
)
_COPY = r"Copy the text (?:in|from) the (?:(?P<at>\d)\w\w )?text ?area below,? (?:and )?paste it into the text.*"

PAGES = 130  # in the package miniwob

_DRAGS = "drags with the mouse"
_POINT = "clicks at a point of a drawing, not on a thing"
_WORDS = "instructions in free wording, which need a model"

# The tasks without a solver, among those that come before the last chosen one.
LEFT_OUT = {
    "email-inbox-forward-nl-turk": _WORDS,
    "circle-center": _POINT,
    "find-greatest": "needs a memory of what was seen before; the scripts keep none",
    "drag-shapes": _DRAGS,
    "click-checkboxes-soft": "needs the meaning of words",
    "click-pie-nodelay": "a menu of drawn sectors, which are not things with a name",
    "order-food": "needs to know what is in a dish",
    "draw-circle": "draws with the mouse",
    "click-pie": "a menu of drawn sectors, which are not things with a name",
    "simon-says": "shows what to do for a moment only",
    "find-midpoint": _POINT,
    "click-menu": "a menu that opens when the mouse rests on it",
    "terminal": "keys without a field",
    "count-sides": "a picture on a canvas",
    "email-inbox-forward-nl": _WORDS,
    "drag-items": _DRAGS,
    "drag-single-shape": _DRAGS,
    "chase-circle": "follows a moving thing",
    "draw-line": "draws with the mouse",
}

SOLVED: dict[str, Policies] = {
    "email-inbox-star-reply": _MAIL,
    "email-inbox-delete": _MAIL,
    "email-inbox-important": _MAIL,
    "click-checkboxes": _BOXES,
    "click-checkboxes-transfer": _BOXES,
    "click-tab-2": _TABS,
    "click-tab-2-easy": _TABS,
    "click-tab-2-hard": _TABS,
    "click-collapsible": _SECTION,
    "click-collapsible-nodelay": _SECTION,
    "click-collapsible-2": _SECTIONS,
    "read-table": ((r"Enter the value of (?P<label>.+) into the text field and press Submit\.", reading.table_cell),),
    "read-table-2": ((r"Enter the value that corresponds with each label .*", reading.table_form),),
    "simple-arithmetic": ((r"Solve the math problem .*", reading.arithmetic),),
    "simple-algebra": ((r"Solve for x .*", reading.algebra),),
    "count-shape": ((r"How many (.+)s are there\?", reading.count_shapes),),
    "click-shape": ((r"Click on a (.+)", reading.shape),),
    "click-option": ((r"Select (?P<choice>.+) and click Submit\.", forms.choose_radio),),
    "multi-layouts": (
        (
            r"Search for (?P<genre>.+) movies directed by (?P<director>.+) from year (?P<year>\d+)\.",
            forms.search_movies,
        ),
    ),
    "guess-number": ((r"Guess the number between 0-9 .*", reading.guess),),
    "form-sequence": (
        (
            r"Select (?P<number>-?\d+) with the slider, click the (\d)\w\w checkbox, then hit Submit\.",
            forms.slide_and_check,
        ),
    ),
    "form-sequence-2": (
        (
            r'Check the (\d)\w\w radio button and enter the number "(?P<text>-?\d+)" into the (\d)\w\w textbox\.',
            forms.radio_and_text,
        ),
    ),
    "enter-date": ((r"Enter (?P<date>[\d/]+) as the date and hit submit\.", forms.enter_date),),
    "choose-date": _DATE,
    "choose-date-easy": _DATE,
    "enter-text": ((r'Enter "(?P<text>.+)" into the text field and press Submit\.', forms.enter_text),),
    "enter-text-2": (
        (r'Type "(?P<text>.+)" in all (upper|lower) case letters in the text input and .*', forms.enter_in_case),
    ),
    "click-dialog-2": ((r'Click the button in the dialog box labeled "(?P<button>.+)"\.', clicks.click_button),),
    "click-test-2": ((r"Click button (?P<button>.+)\.", clicks.click_button),),
    "generate-number": (
        (r"Generate an (odd|even) number(?P<limit>), then press submit\.", reading.generate),
        (r"Generate a number (less|greater) than (?P<limit>\d+), then press submit\.", reading.generate),
    ),
    "use-slider": ((r"Select (?P<numbers>-?\d+) with the slider and hit Submit\.", forms.slide),),
    "use-slider-2": ((r"Set the sliders to the combination \[(?P<numbers>[\d,]+)\] and submit\.", forms.slide),),
    "phone-book": (
        (
            r"Find (?P<person>.+) in the contact book and click on their (phone|email|address).*\.",
            reading.contact,
        ),
    ),
    "text-transform": ((r"Type the text below into the text field and press Submit\.", reading.shown_letters),),
    "click-scroll-list": ((r"Select (?P<choices>.+) from the scroll list and click Submit\.", forms.choose_several),),
    "social-media": ((r'For the user (?P<user>@\S+), click on the "(.+)" button\.', reading.post_menu),),
    "social-media-some": (
        (r'Click the "(.+)" button on (?P<number>\d+) posts? by (?P<user>@\S+) and then .*', reading.posts),
    ),
    "social-media-all": (
        (r'Click the "(.+)" button on (?P<number>all) posts by (?P<user>@\S+) and then .*', reading.posts),
    ),
    "scroll-text": ((r"Find the last word in the text area, .*", reading.last_word),),
    "copy-paste": ((_COPY, reading.copy_text),),
    "copy-paste-2": ((_COPY, reading.copy_text),),
    "find-word": ((r"Find the (\d+)\w\w word in the paragraph, .*", reading.word_at),),
    "click-widget": ((r'Click on a "(.+)" widget\.', reading.widget),),
}
