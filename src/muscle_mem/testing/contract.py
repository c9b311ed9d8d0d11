"""Complete contract of a store."""

from __future__ import annotations

from .history import HistoryContract
from .keeping import KeepingContract
from .living import LivingContract
from .noting import NotingContract
from .promising import PromisingContract
from .reading import ReadingContract
from .sealing import SealingContract
from .sharing import SharingContract
from .surveying import SurveyingContract


class StoreContract(
    ReadingContract,
    SealingContract,
    NotingContract,
    KeepingContract,
    SurveyingContract,
    HistoryContract,
    LivingContract,
    SharingContract,
    PromisingContract,
):
    """Contract of `muscle_mem.store.base.Store` as tests for pytest.

    Subclass it and implement `make_store`. Also implement `reopen` if the store persists, `damage` if a test can alter
    its data, `blobs_kept` if a test can count its blobs, `saved` if it can restore an earlier state, and
    `pause_commits` if writers do not exclude each other. A store that does not outlive its object says so in its
    `promises`, with `lasts=False`. Each method gets pytest's `tmp_path`, a new folder for
    each test. The tests use only the public methods of the store.
    """

    __module__ = "muscle_mem.testing"
