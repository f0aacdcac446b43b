import csv
import io
import logging
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tagsight.commands.output import Notices, print_info, print_result
from tagsight.commands.problems import listed
from tagsight.data.formats.tables import read_table
from tagsight.data.tables.csv_table import CsvTable
from tagsight.experiments.tables import Table, comma_separated
from tagsight.runtime.escaping import CONTROLS, csv_cell, csv_content, csv_line, csv_list, printable

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
HOSTILE = "a\x1b]0;x\x07\u202egpj\u2066\x9b31m\r\nleft out: nothing\x7f\udc80"
BORDERS = st.text(st.sampled_from(["a", "é", "犬", "7", "_", '"', ",", ";", *HOSTILE, *STARTS]))
CELLS = st.text(st.sampled_from(["=", "+", "-", "@", "'", "1", ".", "e", "%", "a", " ", *STARTS]))


@given(BORDERS)
def test_a_terminal_obeys_nothing_and_shows_all_letters(text):
    shown = printable(text)
    assert not CONTROLS.search(shown)
    assert [c for c in text if c.isalnum()] == [
        c for c in re.sub(r"\\(x..|u....|[tnr])", "", shown) if c.isalnum()
    ]


def test_every_control_character_and_mark_of_direction_is_escaped():
    codes = [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F)]
    codes += [*range(0x2066, 0x206A), 0xFEFF, 0xD800, 0xDFFF]
    assert [code for code in codes if printable(chr(code)) == chr(code)] == []
    kept = "é, 犬, \u200d, \u200c, \U0001f415, \\x1b"
    assert printable(kept) == kept


@given(CELLS)
def test_a_cell_is_read_back_as_it_was(text):
    assert csv_content(csv_cell(text)) == text


@given(CELLS)
def test_no_cell_is_run_by_a_spreadsheet_and_numbers_stay(text):
    cell = csv_cell(text)
    if cell.startswith(STARTS) and len(cell) > 1:
        assert float(cell.removesuffix("%")) is not None
        assert cell == text


@given(st.lists(BORDERS, min_size=1, max_size=4))
def test_a_row_is_a_row_whatever_its_cells_hold(cells):
    first, second = csv.reader(io.StringIO(csv_line(cells) + "end\n", newline=""), strict=True)
    assert second == ["end"]
    assert len(first) == len(cells)


def test_labels_of_a_table_are_read_back_for_training(tmp_path):
    names = ["=1+1", "-dog", "@cat", "'-it", "plain"]
    rows = [["path", "labels"], *([f"+{i}.jpg", csv_list(names[i:])] for i in range(5))]
    (tmp_path / "labels.csv").write_text("".join(csv_line(row) for row in rows))
    read = read_table(CsvTable(tmp_path / "labels.csv"))
    assert read.names == tuple(sorted(names))
    assert read.photos[0] == "+0.jpg"
    assert read.targets[0].tolist() == [1] * 5


def test_nothing_that_the_command_prints_is_obeyed(capsys, tmp_path, monkeypatch):
    print_result([HOSTILE])
    print_info(HOSTILE)
    with listed(tmp_path / "problems.csv") as left_out:
        left_out.append(Path(HOSTILE), HOSTILE)
        left_out.print_first()
    monkeypatch.setattr(logging, "lastResort", Notices(logging.WARNING))
    record = logging.LogRecord("a", logging.WARNING, "", 0, "%s", (HOSTILE,), None)
    logging.lastResort.handle(record)
    printed = capsys.readouterr()
    lines = [*printed.out.splitlines(), *printed.err.splitlines()]
    assert len(lines) == 4
    assert [line for line in lines if CONTROLS.search(line)] == []
    table = (tmp_path / "problems.csv").read_text() + comma_separated(
        [Table(HOSTILE, ("", HOSTILE), ((HOSTILE, "-1"),))]
    )
    assert set(CONTROLS.findall(table)) <= {"\t", "\r", "\n"}
