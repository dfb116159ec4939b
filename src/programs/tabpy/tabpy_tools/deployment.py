"""Sends an archive to a server, over HTTP or, for a TabPy that takes no uploads, through its disk, and waits until the
server has loaded it.
"""

import os
import time
import urllib.parse
import uuid


class LoadError(RuntimeError):
    """A function was deployed, and the server can't load it; the text tells why."""


def send_archive(service, name, version, file, timeout, is_remote):
    """Send an open archive to the server.

    Returns
    -------
    str
        The folder to give to the server as `src_path`.

    Raises
    ------
    RuntimeError
        The server takes no uploads, and its disk is not this machine's.
    """
    path = "configurations/endpoint_upload_destination"
    answer, headers = service.request("GET", path, timeout)
    destination = answer["path"]
    if "TabPy-Upload" in headers:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        path += "/endpoints/%s/%d/pickle_archive" % (urllib.parse.quote(name, safe=""), version)
        return service.upload(path, file, size, timeout)[0]["path"]
    if is_remote or not os.path.isdir(os.path.dirname(destination)):
        raise RuntimeError("%s takes no uploads, and its folder %s is not on this machine: deploy from the machine "
                           "that it runs on" % (service.url, destination))
    folder = archive_folder(destination, name, version)
    file.seek(0)
    _copy_into(folder, file)
    return folder


def archive_folder(destination, name, version):
    """The folder of an archive below the server's upload folder, which may be on another operating system."""
    separator = "\\" if "\\" in destination and "/" not in destination else "/"
    return separator.join([destination.rstrip("/\\"), "endpoints", name, str(version)])


def wait_until_loaded(service, name, version, timeout, load_timeout):
    """Return when the server has loaded that version, or a later one.

    Raises
    ------
    LoadError
        It can't.
    TimeoutError
        It takes longer than `load_timeout`.
    RuntimeError
        The endpoint was removed.
    """
    deadline = time.monotonic() + load_timeout
    pause = 0.01
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("%r is not loaded after %g s: get_status() tells when it is" % (name, load_timeout))
        wait = max(1, min(10, int(left)))
        answer, headers = service.request("GET", "status", timeout + wait, headers={"Prefer": "wait=%d" % wait})
        if name not in answer:
            raise RuntimeError("Endpoint %r was removed while it was deployed" % name)
        status = answer[name]
        if status["version"] >= version:
            if status["status"] == "LoadSuccessful":
                return
            if status["status"] == "LoadFailed":
                raise LoadError("The server cannot load %r: %s" % (name, status["last_error"]))
        # Ask again at once if the server has waited itself; if it is an old one, after a pause.
        if "Preference-Applied" not in headers or status["status"] != "LoadInProgress":
            time.sleep(min(pause, left))
            pause = min(2 * pause, 0.5)


def _copy_into(folder, file):
    """Write the archive completely or not at all."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "pickle_archive")
    temporary = "%s.%s" % (path, uuid.uuid4().hex)
    try:
        with open(temporary, "xb") as target:
            for piece in iter(lambda: file.read(1 << 20), b""):
                target.write(piece)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
