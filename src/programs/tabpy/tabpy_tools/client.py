"""Client of a TabPy server: deploys, calls and manages Python functions.

Needs only the standard library, and cloudpickle to deploy. HTTP is in rest.py, saving functions in archives.py,
bringing them to the server in deployment.py, checks of arguments in arguments.py.
"""

import tempfile

from tabpy.tabpy_tools.archives import as_query_object, write_archive
from tabpy.tabpy_tools.arguments import check_name, checked_seconds, given, quoted, taken_name
from tabpy.tabpy_tools.deployment import LoadError, archive_folder, send_archive, wait_until_loaded
from tabpy.tabpy_tools.rest import ResponseError, Service

__all__ = ["Client", "LoadError", "ResponseError"]


class Client:
    """A connection to a TabPy server.

    Parameters
    ----------
    endpoint : str
        URL of the server, `http://localhost:9004/` for example.
    query_timeout : float
        Seconds to wait for an answer.
    verify : bool, str, os.PathLike or ssl.SSLContext
        How the certificate of an https server is verified: True, with the CAs that this machine trusts; a path, with
        the CA in that PEM file; an SSLContext, as it is set up; False, not at all, so that anyone can impersonate the
        server.
    remote_server : bool
        The server doesn't share a disk with this machine. Only matters for a server that takes no uploads.
    localhost_endpoint : str, optional
        Has no effect; TabPy's own client has it.
    load_timeout : float
        Seconds that `deploy` waits until the server has loaded the function.

    Raises
    ------
    ValueError
        An argument can't be used.
    ResponseError, OSError
        From every method that sends a request: the server answered with an error, or can't be reached.

    Examples
    --------
    >>> client = Client("https://tabpy.example.com/", verify="ca.pem")
    >>> client.set_credentials("alice", password)
    >>> client.deploy("add", lambda x, y: x + y, "Adds two numbers")
    >>> client.query("add", 3, 4)["response"]
    7
    """

    def __init__(self, endpoint, query_timeout=1000, verify=True, remote_server=False, localhost_endpoint=None,
                 load_timeout=1800):
        self._service = Service(endpoint, verify)
        self._is_remote = bool(remote_server)
        self.query_timeout = query_timeout
        self.load_timeout = load_timeout

    def __repr__(self):
        return "<Client of %s>" % self._service.url

    @property
    def query_timeout(self):
        """Seconds to wait for an answer, greater than 0."""
        return self._query_timeout

    @query_timeout.setter
    def query_timeout(self, seconds):
        self._query_timeout = checked_seconds("query_timeout", seconds)

    @property
    def load_timeout(self):
        """Seconds that `deploy` waits until the server has loaded the function, greater than 0."""
        return self._load_timeout

    @load_timeout.setter
    def load_timeout(self, seconds):
        self._load_timeout = checked_seconds("load_timeout", seconds)

    def set_credentials(self, username, password):
        """Send these with every call from now on.

        A deployed function that uses this client doesn't contain them.

        Parameters
        ----------
        username : str
        password : str

        Raises
        ------
        TypeError, ValueError
            One of them can't be used.
        """
        self._service.set_credentials(username, password)

    def query(self, /, *args, **kwargs):
        """Call a deployed function, by `query(name, *args)` or `query(name, **kwargs)`.

        Parameters
        ----------
        name : str
            Name of the function, or of an alias.
        *args, **kwargs
            The arguments, by position or by name, not both. NumPy arrays and pandas Series are sent as lists.

        Returns
        -------
        dict
            `response` is the result; `model` and `version` tell what answered, `uuid` identifies the call.

        Raises
        ------
        ResponseError
            The server answered with an error: no such function, or it raised an exception.
        OSError
            The server can't be reached or takes longer than `query_timeout`.
        ValueError
            Arguments by position and by name are mixed.

        Examples
        --------
        >>> client.query("add", x=3, y=4)["response"]
        7
        """
        name, *args = args if args else [taken_name(kwargs)]
        if args and kwargs:
            raise ValueError("Cannot query %r: expected all arguments by position, or all by name" % (name,))
        return self._service.query(name, args, kwargs, self.query_timeout)

    def deploy(self, name, obj, description=None, schema=None, override=False, is_public=None):
        """Deploy a function as an endpoint, and wait until the server has loaded it.

        The function is saved as it is now, with the variables and the functions of this notebook or script that it
        uses. Modules that it imports must be installed on the server.

        Parameters
        ----------
        name : str
            Letters, digits, underscores, hyphens and spaces.
        obj : callable or QueryObject
            The function.
        description : str, optional
            One line about what it does.
        schema : dict, optional
            Its parameters and its result: see `tabpy.tabpy_tools.schema.generate_schema`.
        override : bool
            Whether to replace the function of that name. `description`, `schema` and `is_public` then stay as they
            are unless they are given.
        is_public : bool, optional
            Whether Tableau shows it to people who write calculations.

        Raises
        ------
        RuntimeError
            A function of that name exists, and `override` is not set; or the server takes no uploads, and its disk is
            not this machine's.
        LoadError
            The server can't load it, and continues to use the previous version.
        ResponseError
            The server answered with an error.
        OSError
            The server can't be reached, or takes longer than `load_timeout` to load it (TimeoutError).
        TypeError, ValueError
            An argument can't be used.
        pickle.PicklingError
            The function, or something that it uses, can't be saved.
        ImportError
            cloudpickle is not installed.

        Examples
        --------
        >>> def add(x, y):
        ...     return [a + b for a, b in zip(x, y)]
        >>> client.deploy("add", add, "Adds two columns")
        >>> client.deploy("add", add, override=True)
        """
        check_name(name)
        query_object = as_query_object(obj, description or "")
        existing = self._find(name)
        if existing is not None and not override:
            raise RuntimeError("Endpoint %r already exists: give override=True to replace it" % name)
        version = 1 if existing is None else existing["version"] + 1
        with tempfile.TemporaryFile() as file:
            versions = write_archive(query_object, file)
            src_path = send_archive(self._service, name, version, file, self.query_timeout, self._is_remote)
        endpoint = {
            "name": name, "type": "model", "src_path": src_path, "version": version,
            "docstring": query_object.get_docstring(), "methods": query_object.get_methods(), "dependencies": [],
            **given(description=description, schema=schema, is_public=is_public), **versions,
        }
        if existing is None:
            answer = self._ask("POST", "endpoints", endpoint)
        else:
            answer = self._ask("PUT", "endpoints/" + quoted(name), {**endpoint, "should_update_version": True})
        deployed = answer.get(name, endpoint)["version"]
        wait_until_loaded(self._service, name, deployed, self.query_timeout, self.load_timeout)

    def alias(self, alias, existing_endpoint_name, description=None):
        """Give an endpoint a second name, or point that name at another endpoint.

        Parameters
        ----------
        alias : str
            The second name: letters, digits, underscores, hyphens and spaces.
        existing_endpoint_name : str
            The endpoint that answers under it.
        description : str, optional

        Raises
        ------
        RuntimeError
            A function has that name.
        ResponseError
            The server answered with an error: the endpoint doesn't exist, or the alias would refer to itself.
        """
        check_name(alias)
        existing = self._find(alias)
        endpoint = {"name": alias, "type": "alias", "target": existing_endpoint_name,
                    "dependencies": [existing_endpoint_name], **given(description=description)}
        if existing is None:
            self._ask("POST", "endpoints", {"description": "Alias for %s" % existing_endpoint_name, **endpoint})
        elif existing.get("type") == "alias":
            self._ask("PUT", "endpoints/" + quoted(alias), {**endpoint, "should_update_version": True})
        else:
            raise RuntimeError("Endpoint %r is a function: remove it before you make it an alias" % alias)

    def remove(self, name):
        """Remove an endpoint.

        Parameters
        ----------
        name : str

        Raises
        ------
        ResponseError
            The server answered with an error: it doesn't exist, or an alias refers to it.
        """
        self._ask("DELETE", "endpoints/" + quoted(name))

    def update_endpoint_info(self, name, description=None, schema=None, is_public=None):
        """Change the description of an endpoint without deploying its function.

        Parameters
        ----------
        name : str
        description : str, optional
        schema : dict, optional
        is_public : bool, optional
            Members that aren't given stay as they are.

        Raises
        ------
        ValueError
            Nothing is given.
        """
        changes = given(description=description, schema=schema, is_public=is_public)
        if not changes:
            raise ValueError("Nothing to change for %r: expected description, schema or is_public" % (name,))
        path = "endpoints/" + quoted(name)
        existing = self._ask("GET", path)
        endpoint = {"name": name, "should_update_version": False, **changes}
        endpoint.update({member: existing[member] for member in ("type", "version", "target", "dependencies",
                                                                 "docstring") if member in existing})
        if existing.get("type") != "alias":
            destination = self._ask("GET", "configurations/endpoint_upload_destination")["path"]
            endpoint["src_path"] = archive_folder(destination, name, existing["version"])
        self._ask("PUT", path, endpoint)

    def get_endpoints(self, type=None):
        """The functions deployed on the server.

        Parameters
        ----------
        type : str, optional
            Only those of this type, `model` or `alias`.

        Returns
        -------
        dict
            Name of each endpoint, and the endpoint as a dict.
        """
        return {name: one for name, one in self._ask("GET", "endpoints").items() if type in (None, one.get("type"))}

    def get_status(self):
        """The load status of each function, as a dict by name."""
        return self._ask("GET", "status")

    def _ask(self, method, path, body=None):
        return self._service.request(method, path, self.query_timeout, body)[0]

    def _find(self, name):
        try:
            return self._ask("GET", "endpoints/" + quoted(name))
        except ResponseError as error:
            if error.status_code == 404 and error.message == "Unknown endpoint":
                return None
            raise
