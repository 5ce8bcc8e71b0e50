"""The report: figures and pages from the store's tables.

The room and its one public function share a name, and ``lca_analysis.report`` is always the room once it has been
imported. So that ``lca_analysis.report(store, out)`` means the function all the same, the room can be called.
"""

import sys
from types import ModuleType
from typing import Any

from lca_analysis.report.build import report
from lca_analysis.report.page import folder_name

__all__ = ["folder_name", "report"]


class _Room(ModuleType):
    """A module that calls its function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call `report`."""
        return report(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
