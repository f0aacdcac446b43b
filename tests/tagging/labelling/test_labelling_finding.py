from tagsight.tagging.labelling.finding import photos_named, photos_with_content
from tagsight.tagging.labelling.project import Project


def test_a_photo_is_found_by_the_ends_of_paths_and_by_its_content(tmp_path):
    photos = tmp_path / "photos"
    contents = {
        "a/x.png": b"1",
        "b/x.png": b"2",
        "b/y.png": b"2",
        "100%.png": b"3",
        "1000.png": b"4",
    }
    for name, content in contents.items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(content)
    with Project(tmp_path / "project", photos) as project:
        project.photos.search(lambda: None)
        ids = project.photos.ids_of(contents)

        def named(name: str) -> set[str]:
            found = photos_named(project, name)
            return {photo for photo, number in ids.items() if number in found}

        assert named("a/x.png") == named("root/photos/a/x.png") == {"a/x.png"}
        assert named("x.png") == {"a/x.png", "b/x.png"}
        assert named("y.png") == {"b/y.png"}
        assert named("100%.png") == {"100%.png"}
        assert named("c/x.png") == named("%.png") == named("") == set()
        assert photos_with_content(project, b"2") == [ids["b/x.png"], ids["b/y.png"]]
        (photos / "b/y.png").unlink()
        assert photos_with_content(project, b"2") == [ids["b/x.png"]]
        assert photos_with_content(project, b"9") == []
