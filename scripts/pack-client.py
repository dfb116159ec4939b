"""Packs the client library as a wheel: scripts/pack-client.py VERSION FILE.

The same sources make the same bytes on every machine: sorted names, one time for all files, and no compression (its
output depends on the version of the compressor).
"""

import base64
import hashlib
import io
import os
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "..", "src", "programs")

METADATA = """Metadata-Version: 2.1
Name: tabpy-tools
Version: {version}
Summary: Deploys Python functions to a TabPy server and calls them.
License: MIT
Requires-Python: >=3.9
Requires-Dist: cloudpickle
Description-Content-Type: text/markdown

{description}"""

WHEEL = """Wheel-Version: 1.0
Generator: pack-client
Root-Is-Purelib: true
Tag: py3-none-any
"""


def pack(version):
    """The bytes of the wheel."""
    files = {}
    for folder in ("tabpy", os.path.join("tabpy", "tabpy_tools")):
        for name in os.listdir(os.path.join(PROGRAMS, folder)):
            if name.endswith(".py"):
                files["%s/%s" % (folder.replace(os.sep, "/"), name)] = read(PROGRAMS, folder, name)
    information = "tabpy_tools-%s.dist-info" % escaped(version)
    description = read(HERE, "..", "docs", "client.md").decode("utf-8")
    files["%s/METADATA" % information] = METADATA.format(version=version, description=description).encode("utf-8")
    files["%s/WHEEL" % information] = WHEEL.encode("ascii")
    files["%s/LICENSE" % information] = read(HERE, "..", "LICENSE")
    record = "".join("%s,sha256=%s,%d\n" % (name, digest(data), len(data)) for name, data in sorted(files.items()))
    # The standard recommends the files that describe the wheel at its end.
    names = sorted(files, key=lambda name: (name.startswith(information), name))
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            add(archive, name, files[name])
        add(archive, "%s/RECORD" % information, (record + "%s/RECORD,,\n" % information).encode("ascii"))
    return wheel.getvalue()


def add(archive, name, data):
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # otherwise the bytes would depend on the system that packs them
    entry.external_attr = 0o100644 << 16
    archive.writestr(entry, data)


def read(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return file.read().replace(b"\r\n", b"\n")


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")


def escaped(version):
    """A version as in the names of wheels, where hyphens separate the fields."""
    return version.replace("-", "_")


def main(version, path):
    data = pack(version)
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)


if __name__ == "__main__":
    main(*sys.argv[1:])
