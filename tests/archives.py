"""Archives with a few files."""

import io
import tarfile
import zipfile

FILES = {"VOC/a.txt": b"one", "VOC/deep/b.jpg": b"two" * 1000}


def write_tar(path, files=FILES, *, more=()):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return path


def write_zip(path, files=FILES, *, more=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for member, content in more:
            archive.writestr(member, content)
    return path
