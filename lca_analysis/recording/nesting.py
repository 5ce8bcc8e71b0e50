"""Which of nested calls is the outermost: an optimizer's step that calls its parent class's step has hooks in both."""

import sys
from types import FrameType


class NestedCalls:
    """Follows calls by the frames that make them, which an exception cannot leave behind unseen."""

    def __init__(self) -> None:
        self._open: list[FrameType] = []

    def enter(self, above: int = 1) -> None:
        """Note a call that begins, in the frame so many above the one that says so."""
        frame = sys._getframe(above + 1)
        if self._open:  # a call inside another, or the rest of one that an exception ended
            running = _running(frame)
            self._open = [call for call in self._open if call in running]
        self._open.append(frame)

    def leave(self) -> bool:
        """Note the end of the call that was entered last; says whether it was the outermost."""
        if self._open:
            self._open.pop()
        return not self._open


def _running(frame: FrameType) -> set[FrameType]:
    """Collect the frames above one."""
    found: set[FrameType] = set()
    above = frame.f_back
    while above is not None:
        found.add(above)
        above = above.f_back
    return found
