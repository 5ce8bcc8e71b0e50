import threading

import pytest

from lca_analysis.analysis.threads import in_threads


def test_what_is_found_comes_in_the_order_of_the_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    second_is_done = threading.Event()

    def work(thing: int) -> int:
        if thing == 0:
            assert second_is_done.wait(30), "the second never ran beside the first"
        second_is_done.set()
        return 10 * thing

    assert in_threads(work, range(5)) == [0, 10, 20, 30, 40]
    assert in_threads(work, []) == []


def test_an_error_of_one_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda thing: 1 / thing, [1, 0, 2])
