"""Which tests go to which worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

# Files of long tests that share nothing costly: their tests go one by one to whichever worker is free.
SPREAD = """
test_codec_properties test_docs test_drivers_agree test_postgres_opening test_property_middle test_property_params
test_property_worlds test_torture
""".split()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile` a file goes to one worker, so that what its tests share is made once; but for `SPREAD`."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return nodeid if Path(file).stem in SPREAD else file

    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None
