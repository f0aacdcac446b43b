import threading
import weakref

import pytest

from tagsight.runtime.threads import in_background, ordered_map


def test_results_come_in_the_order_of_the_items_whoever_finishes_first():
    second_is_done = threading.Event()

    def work(item):
        if item == 0:
            assert second_is_done.wait(60)
        if item == 1:
            second_is_done.set()
        return item * item

    results = ordered_map(work, range(5), workers=2, ahead=3)
    assert list(results) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("ahead", [1, 3, 7])
def test_no_more_items_are_drawn_than_taken_and_ahead(ahead):
    drawn = 0

    def items():
        nonlocal drawn
        while drawn < 20:
            drawn += 1
            yield drawn

    results = ordered_map(str, items(), workers=2, ahead=ahead)
    for taken, _ in enumerate(results, 1):
        assert drawn <= taken + ahead
    assert drawn == 20


def failing_items():
    yield 3
    yield 2
    raise ZeroDivisionError


@pytest.mark.parametrize("items", [[3, 2, 0, 1], failing_items()])
def test_an_exception_is_raised_after_the_results_before_it(items):
    results = ordered_map(lambda item: 6 // item, items, workers=2, ahead=4)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


class Numbered:
    """An item that can be watched until nothing holds it any more."""

    def __init__(self, number: int) -> None:
        self.number = number


def test_closing_cancels_what_has_not_begun_and_waits_for_the_rest():
    begun, ended = [], []
    all_cancelled = threading.Event()

    def items():
        for number in range(10):
            item = Numbered(number)
            if number == 9:
                weakref.finalize(item, all_cancelled.set)
            yield item

    def work(item):
        begun.append(item.number)
        if item.number:
            assert all_cancelled.wait(60)
        ended.append(item.number)

    others = {*threading.enumerate()}
    results = ordered_map(work, items(), workers=1, ahead=50)
    next(results)
    results.close()
    assert begun == ended
    assert len(begun) <= 2
    assert {*threading.enumerate()} <= others


def test_another_thread_that_collects_an_abandoned_generator_waits_for_nothing():
    go_on = threading.Event()
    results = ordered_map(lambda item: item and go_on.wait(60), range(3), workers=1, ahead=2)
    next(results)
    other = threading.Thread(target=results.close)
    other.start()
    other.join(30)
    has_waited = other.is_alive()
    go_on.set()
    other.join()
    assert not has_waited


@pytest.mark.parametrize(("workers", "ahead"), [(0, 1), (1, 0)])
def test_numbers_that_allow_no_work_are_refused_at_once(workers, ahead):
    with pytest.raises(ValueError, match="at least one worker and one item ahead"):
        ordered_map(str, [], workers=workers, ahead=ahead)


def test_an_item_is_made_while_the_one_before_is_in_work():
    made = threading.Event()
    results: list[int] = []

    def double(item: int) -> int:
        assert item > 0 or made.wait(timeout=60)
        return 2 * item

    with in_background(double, results.append) as give:
        give(0)
        made.set()
        give(1)
        assert results == [0]
    assert results == [0, 2]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_items_that_were_given_are_finished_though_the_next_cannot_be_made(raised):
    results: list[str] = []

    def interrupted() -> None:
        with in_background(str.upper, results.append) as give:
            give("a")
            give("b")
            raise raised

    with pytest.raises(raised):
        interrupted()
    assert results == ["A", "B"]


def test_an_error_of_the_function_ends_the_work():
    results: list[float] = []

    def divided() -> None:
        with in_background(lambda item: 1 / item, results.append) as give:
            for item in (2, 0, 4, 5, 6):
                give(item)

    with pytest.raises(ZeroDivisionError):
        divided()
    assert results == [0.5]
