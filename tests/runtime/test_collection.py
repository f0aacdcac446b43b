"""When Python looks for unreachable objects."""

import gc

import pytest
from programs import python

from tagsight.runtime.collection import no_collection


def test_collection_goes_on_after_an_error():
    with pytest.raises(KeyError), no_collection():
        raise KeyError
    assert gc.isenabled()


def test_collection_stays_off_where_it_was_off():
    gc.disable()
    try:
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_ending_process_still_calls_what_is_to_be_called():
    script = (
        "import atexit; from tagsight.runtime.collection import end_without_collection as end; "
        "end(); end(); atexit.register(print, 'closed')"
    )
    assert python("-c", script).stdout == "closed\n"
