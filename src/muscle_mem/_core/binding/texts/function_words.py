"""Words that say nothing about where a text came from.

They are function words of some languages, and parts of addresses.
"""

from __future__ import annotations

from typing import Final

_ENGLISH = (
    "the and for are but not you your all any can her was our out has him his how its she too with from this that have "
    "will been were they them then than there their what when where which while would could should about into over "
    "after before between under again also only just such some most more very here each both other same these those "
    "because through during until upon per via yes"
)
_GERMAN = (
    "der die das den dem des ein eine einer eines einem einen und oder aber nicht mit von vom zum zur bei aus auf für "
    "ist sind war wird werden hat haben ich sie wir ihr ihre ihren mein meine dein deine sein seine als wie was wer wo "
    "wenn dann nach vor über unter zwischen durch ohne gegen bis seit auch nur noch schon sehr mehr hier dort kein "
    "keine dass ob weil am im um an in"
)
_FRENCH = (
    "les des une est sont pas pour par sur avec sans sous dans chez entre vers aux que qui quoi dont mais donc car "
    "son ses leur leurs mon mes ton tes notre votre nos vos elle elles ils nous vous cette ces plus très aussi comme"
)
_SPANISH = (
    "los las una unos unas del con por para sin sobre entre desde hasta que como pero más muy también este esta estos "
    "estas ese esa son era fue hay sus mis tus nuestro nuestra cuando donde porque"
)
_ITALIAN = (
    "gli uno una del della dei delle dal dalla nel nella con per tra fra sul sulla che chi come dove quando non più "
    "anche sono era suo sua loro questo questa quello quella"
)
_SHORT = (
    "a i o y e u à an as at be by do go he if in is it me my no of ok on or pm am so to up us we id re cc de la le du "
    "en el un et al il lo di da du er es zu so da ja an um im am je tu te se si su mi ma ne ou où"
)
_ADDRESSES = "www http https com org net html htm php pdf txt csv png jpg jpeg gif svg doc docx xls xlsx zip json xml"

FUNCTION_WORDS: Final = frozenset(f"{_ENGLISH} {_GERMAN} {_FRENCH} {_SPANISH} {_ITALIAN} {_SHORT}".split())
ADDRESS_WORDS: Final = frozenset(_ADDRESSES.split())
