"""The whole contract of a store."""

from __future__ import annotations

from .keeping import KeepingContract
from .living import LivingContract
from .noting import NotingContract
from .reading import ReadingContract
from .sealing import SealingContract
from .surveying import SurveyingContract


class StoreContract(
    ReadingContract, SealingContract, NotingContract, KeepingContract, SurveyingContract, LivingContract
):
    """The promises of `muscle_mem.store.base.Store` as tests for pytest: subclass it and give `make_store`.

    A store that outlives its object should also give `reopen`; one whose rows a test can spoil, `damage`; one whose
    blobs can be counted, `blobs_kept`. All take pytest's `tmp_path`, a folder of each test's own. The tests speak to
    the store by its public methods only.
    """

    __module__ = "muscle_mem.testing"
