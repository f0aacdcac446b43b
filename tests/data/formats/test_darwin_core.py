"""Darwin Core archives: photos of an occurrence show its species."""

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

OCCURRENCES = """\
gbifID\toccurrenceStatus\tscientificName\tspecies
1\tPRESENT\tPapilio machaon L.\tPapilio machaon
2\tPRESENT\tAglais io "L."\tAglais io
3\tABSENT\tAglais urticae L.\tAglais urticae
4\tPRESENT\tAglais\t
"""
MEDIA = "gbifID\ttype\tformat\tidentifier\n"
PHOTO = "\tStillImage\timage/jpeg\thttps://example.org/photos/"
META = """\
<archive xmlns="http://rs.tdwg.org/dwc/text/">
 <core rowType="http://rs.tdwg.org/dwc/terms/Occurrence" ignoreHeaderLines="0"
  fieldsTerminatedBy="," fieldsEnclosedBy="&quot;">
  <files><location>seen.csv</location></files><id index="0"/>
  <field index="1" term="http://rs.tdwg.org/dwc/terms/genus"/>
  <field index="2" term="http://rs.tdwg.org/dwc/terms/specificEpithet"/>
 </core>
 <extension rowType="http://rs.gbif.org/terms/1.0/Multimedia" ignoreHeaderLines="1"
  fieldsTerminatedBy="\\t" fieldsEnclosedBy="">
  <files><location>shots.txt</location></files><coreid index="1"/>
  <field index="0" term="http://purl.org/dc/terms/identifier"/>
 </extension>
</archive>
"""


@pytest.fixture
def archive(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return tmp_path

    return write


def read(source):
    return read_annotations(source, labels_only=True)


def targets(annotations):
    rows = zip(annotations.paths, annotations.targets.tolist(), strict=True)
    return {path.name: row for path, row in rows}


def test_a_name_of_one_word_is_no_species_unless_a_rank_says_so(archive):
    names = "gbifID\tscientificName\n1\tAglais io io (Linnaeus, 1758)\n2\tAglais\n3\tAglais sp.\n"
    media = "".join(
        f"{key}{PHOTO}{photo}.jpg\n" for key, photo in zip("12213", "abbcc", strict=True)
    )
    found = read(archive(occurrence_txt=names, multimedia_txt=MEDIA + media))
    assert found.names == ("Aglais io",)
    assert targets(found) == {"a.jpg": [1], "c.jpg": [1]}


@pytest.mark.parametrize("name", ["", "occurrence.txt", "multimedia.txt"])
def test_a_photo_has_the_species_of_its_occurrences(archive, name):
    media = f"1{PHOTO}a.jpg\n1{PHOTO}b.jpg\n2{PHOTO}b.jpg\n2{PHOTO}c.jpg?size=large\n"
    media += f"3{PHOTO}d.jpg\n4{PHOTO}c.jpg\n4{PHOTO}e.jpg\n2\tSound\taudio/mpeg\thttps://x.org/f\n"
    found = read(archive(occurrence_txt=OCCURRENCES, multimedia_txt=MEDIA + media) / name)
    assert found.names == ("Aglais io", "Papilio machaon")
    assert targets(found) == {"a.jpg": [0, 1], "b.jpg": [1, 1], "c.jpg": [1, -1]}


def test_the_description_says_which_column_is_what(archive):
    rows = '1,Aglais,io\n2,"Papilio",machaon\n'
    shots = "identifier\tid\nb.jpg\t2\na.jpg\t1\n"
    found = read(archive(meta_xml=META, seen_csv=rows, shots_txt=shots))
    assert targets(found) == {"b.jpg": [0, 1], "a.jpg": [1, 0]}


def test_media_may_be_listed_beside_the_species_and_be_named_by_the_occurrence(archive):
    rows = "id,scientificName,associatedMedia\n7,Aglais io,https://x.org/1/full | \n8,Bufo bufo,https://x.org/2/full\n"
    folder = archive(occurrence_txt=rows)
    for name in ("7.jpg", "8.jpg"):
        (folder / name).touch()
    assert targets(read_annotations(folder)) == {"7.jpg": [1, 0], "8.jpg": [0, 1]}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"occurrence_txt": OCCURRENCES}, "expected photos of species in multimedia.txt, .*export"),
        ({"meta_xml": META, "seen_csv": "1,Aglais,io\n"}, "a file at .*shots.txt, got nothing"),
        ({"meta_xml": META}, "a file at .*seen.csv, got nothing"),
        ({"multimedia_txt": MEDIA}, "a table of occurrences in meta.xml, or occurrence.txt, got"),
        ({"meta_xml": "<archive/>"}, "a table of occurrences in meta.xml, or occurrence.txt, got"),
        ({"meta_xml": META.replace('index="0"/>', "/>")}, "an index of the id"),
        ({"meta_xml": META, "seen_csv": "1,Aglais\n"}, "seen.csv:1: expected 3 cells or more"),
        (
            {"meta_xml": META.replace("specificE", "e").replace("genus", "name")},
            "species or scientificName among the columns, got neither",
        ),
        (
            {"occurrence_txt": OCCURRENCES, "multimedia_txt": "type\tidentifier\nx\ty\n"},
            "multimedia.txt: expected a column of ids, gbifID or .* got type, identifier",
        ),
    ],
)
def test_what_is_missing_is_named(archive, files, message):
    with pytest.raises(DataError, match=message):
        read(archive(**files))
