"""The command from its start to Ctrl-C: the page opens, a judgement is kept, the process ends."""

import os
import signal
import subprocess
import sys

import httpx
import pytest
from labelled import write_photos

from tagsight.data.readers import read_annotations


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_a_person_opens_the_page_judges_and_stops(tmp_path):
    write_photos(tmp_path / "photos")
    command = [sys.executable, "-m", "tagsight", "label", str(tmp_path / "photos")]
    options = ["--port", "0", "--no-browser", "--journal", str(tmp_path / "journal")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env=environment
    ) as labelling:
        address = labelling.stdout.readline().strip()
        with httpx.Client(base_url=address.partition("/label")[0], timeout=None) as page:
            assert page.get(address).status_code == 303
            page.post("/label/labels", json={"name": "red"}).raise_for_status()
            body = {"photos": [1], "label": 1, "value": 0}
            page.post("/label/judgements", json=body).raise_for_status()
            with page.stream("GET", "/label/events?since=0") as stream:
                lines = stream.iter_lines()
                assert "event: judgements" in lines
                labelling.send_signal(signal.SIGINT)
                assert list(lines)
    assert labelling.returncode == 0
    rows = read_annotations(tmp_path / "photos-labels")
    assert (rows.names, rows.targets.tolist()) == (("red",), [[0]])
