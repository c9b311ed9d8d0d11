"""Words that turn the meaning of a task, and words that identify a language (L14).

A fill that is, or contains, a turning word may change what the whole task means. A language without a list here is not
known, and nothing is learned from its texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ENGLISH_TURNING = (
    "please urgent urgently immediately asap "
    "not no none never NOBODY nothing neither nor without but and or plus also except excluding unless besides "
    "instead rather only just all any every each everyone everybody everything anyone anybody anything someone "
    "SOMEBODY something both either half most many few several some rest remaining other others another same "
    "different first second last latest newest oldest next previous former latter best worst highest lowest largest "
    "smallest cheapest if when whenever while until before after since then today tomorrow yesterday tonight now "
    "later again once twice daily weekly monthly always maybe perhaps about around roughly over under above below "
    "more less least minimum maximum max min up me my myself him his himself her hers herself them their themselves "
    "us our you your yourself it its this that these those who WHOEVER whom whose what whatever which whichever "
    "cancel delete stop undo ignore skip dont don't doesnt doesn't cannot can't wont won't do does yes test admin "
    "root vs versus"
)
_GERMAN_TURNING = (
    "bitte dringend eilig sofort "
    "nicht kein keine keinen keiner keinem nie niemals niemand nichts weder noch ohne aber und oder sowie auch "
    "außer ausser ausgenommen sondern statt anstatt lieber nur bloß bloss alle allen aller alles jeder jede jedes "
    "jeden jedem jemand jemanden irgendwer irgendwen irgendetwas etwas beide beiden beides halb hälfte meisten "
    "viele wenige einige mehrere rest übrige übrigen andere anderen anderer anderes derselbe dieselbe dasselbe "
    "erste ersten erster zweite zweiten letzte letzten letzter neueste neuesten älteste ältesten nächste nächsten "
    "vorige vorigen beste besten höchste niedrigste größte kleinste billigste wenn falls sobald während bis bevor "
    "nachdem seit dann heute morgen gestern jetzt später wieder einmal zweimal täglich wöchentlich monatlich immer "
    "vielleicht etwa ungefähr circa über unter mehr weniger mindestens höchstens ich mir mich mein meine meinen ihm "
    "ihn sein seine sich ihr ihre ihnen uns unser euch dir dich dein du sie er es dies diese dieser dieses jene "
    "jener wer wen wem was welche welcher storniere lösche stopp stoppe ignoriere ja nein test admin"
)
_ENGLISH_KNOWN = (
    "the of to for from with at on by is are was were be been please order orders customer customers refund ship "
    "send book find search show list get fetch look check create make add remove update change set move transfer "
    "pay charge open close email mail message invoice invoices ticket tickets flight flights hotel hotels room "
    "rooms table price prices weather status report reports account accounts user users item items write read call "
    "TELL give summarize schedule meeting assign mark tag label approve reject upload download buy sell rent "
    "reserve cancel delete archive reply forward remind track return between into onto about and or not a my days "
    "nights people persons guests"
)
_GERMAN_KNOWN = (
    "der das den dem des ein eine einen einem einer eines und oder nicht von vom zum zur mit auf für bei nach aus "
    "ist sind bitte bestellung bestellungen kunde kunden kundin rechnung rechnungen erstatte erstatten schicke "
    "schick sende buche buch finde suche zeige liste hole prüfe erstelle erzeuge lege füge entferne ändere setze "
    "verschiebe überweise zahle bezahle öffne schließe schreibe lies rufe storniere lösche tisch zimmer flug flüge "
    "hotel wetter preis konto nutzer artikel bericht termin antworte leite erinnere kaufe verkaufe miete reserviere "
    "tage nächte personen gäste"
)
_OTHERS = (
    "le les une est pour avec sans dans chez vers aux du au et la el los las una unos con para por sin del il gli "
    "della nel nella voor naar met het een van och för TILL från med na do da com para não os as um uma za dla dla "
    "od je se commande annule rembourse envoie pedido cancela envía reembolsa ordine annulla invia bestelling "
    "factuur facture factura fattura"
)

TURNING: Final = {
    "en": frozenset(_ENGLISH_TURNING.casefold().split()),
    "de": frozenset(_GERMAN_TURNING.casefold().split()),
}
_KNOWN: Final = {"en": frozenset(_ENGLISH_KNOWN.casefold().split()), "de": frozenset(_GERMAN_KNOWN.casefold().split())}
_BOTH: Final = _KNOWN["en"] & _KNOWN["de"]
_FOREIGN: Final = frozenset(_OTHERS.casefold().split()) - _KNOWN["en"] - _KNOWN["de"]


def language_of(words: Iterable[str]) -> str:
    """Return the language of a text's constant words.

    It is empty if no language with a list is known, or if the words belong to several.
    """
    folded = {word.casefold() for word in words}
    if folded & _FOREIGN:
        return ""
    found = [language for language, known in _KNOWN.items() if folded & known - _BOTH]
    return found[0] if len(found) == 1 else ""


def turns_meaning(fill: str, language: str) -> bool:
    """Return whether a fill is, or contains, a word that turns the meaning of a text.

    The words of all languages count: a name is never worth the doubt.
    """
    words = fill.casefold().replace("\u2019", "'").replace("-", " ").split()
    return language not in TURNING or any(word in listed for word in words for listed in TURNING.values())
