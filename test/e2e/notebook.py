"""What a data scientist does with the client, from an empty environment: notebook.py URL.

Runs to its end, or fails at the line that went wrong. Nothing is shared with the server but HTTP.
"""

import json
import sys
import urllib.error
import urllib.request

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from tabpy.tabpy_tools.client import Client, LoadError, ResponseError
from tabpy.tabpy_tools.schema import generate_schema

URL, = sys.argv[1:]
client = Client(URL)


def post(path, body):
    """The server's answer to a POST: (status, value)."""
    request = urllib.request.Request(URL + path, json.dumps(body).encode("ascii"))
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def check_everywhere(name, data, expected):
    """Check that an endpoint answers the same to the client, over HTTP and in a script."""
    by_client = client.query(name, *data)
    assert by_client["response"] == expected, by_client
    status, by_http = post("query/%s" % name.replace(" ", "%20"), {"data": list(data)})
    assert (status, by_http["response"], by_http["version"]) == (200, expected, by_client["version"]), by_http
    names = ["_arg%d" % (at + 1) for at in range(len(data))]
    script = "return tabpy.query(%r, %s)['response']" % (name, ", ".join(names))
    status, by_script = post("evaluate", {"script": script, "data": dict(zip(names, data))})
    assert (status, by_script) == (200, expected), by_script
    return by_client["version"]


def add(x, y):
    """Adds two columns."""
    return [a + b for a, b in zip(x, y)]


# A function.
schema = generate_schema({"x": [1, 2], "y": [3, 4]}, [4, 6], {"x": "first", "y": "second"}, "the sums")
client.deploy("add", add, "Adds", schema=schema, is_public=True)
assert check_everywhere("add", ([1, 2], [3, 4]), [4, 6]) == 1
assert client.query("add", x=[1], y=[2])["response"] == [3]
endpoint = client.get_endpoints()["add"]
assert (endpoint["description"], endpoint["docstring"]) == ("Adds", "Adds two columns."), endpoint
assert (endpoint["schema"], endpoint["is_public"], endpoint["type"]) == (schema, True, "model"), endpoint
assert client.get_status()["add"]["status"] == "LoadSuccessful"

# A model, trained on real data, and saved with the function that uses it.
iris = load_iris()
model = LogisticRegression(max_iter=1000).fit(iris.data, iris.target)


def classify(*columns):
    return model.predict([list(row) for row in zip(*columns)]).tolist()


client.deploy("classify iris", classify, "Names the species")
columns = iris.data.T.tolist()
species = model.predict(iris.data).tolist()
assert sum(a == b for a, b in zip(species, iris.target)) > 140
check_everywhere("classify iris", columns, species)


# A closure and a lambda.
def make_scale(factor):
    def scale(x):
        return [factor * value for value in x]
    return scale


client.deploy("scale", make_scale(3))
check_everywhere("scale", ([1, 2],), [3, 6])
client.deploy("half", lambda x: [value / 2 for value in x], "Halves")
check_everywhere("half", ([1, 2],), [0.5, 1])
assert client.get_endpoints()["half"]["docstring"] == "-- no docstring found in query function --"

# New code under the same name, at once.
try:
    client.deploy("add", add)
    raise AssertionError("deployed twice")
except RuntimeError as error:
    assert "override" in str(error)
client.deploy("add", lambda x, y: [a + b + 100 for a, b in zip(x, y)], override=True)
assert check_everywhere("add", ([1], [2]), [103]) == 2
endpoint = client.get_endpoints()["add"]
assert (endpoint["description"], endpoint["schema"], endpoint["is_public"]) == ("Adds", schema, True), endpoint

# A new description, the same code.
client.update_endpoint_info("add", description="Adds more", is_public=False)
endpoint = client.get_endpoints()["add"]
assert (endpoint["description"], endpoint["is_public"], endpoint["version"]) == ("Adds more", False, 2), endpoint
assert endpoint["schema"] == schema
assert check_everywhere("add", ([1], [2]), [103]) == 2

# A second name, which is then pointed at another function.
client.alias("plus", "add")
check_everywhere("plus", ([1], [2]), [103])
assert client.get_endpoints("alias")["plus"]["target"] == "add"
client.alias("plus", "scale")
check_everywhere("plus", ([5],), [15])
try:
    client.remove("scale")
    raise AssertionError("removed the target of an alias")
except ResponseError as error:
    assert error.status_code == 400 and "plus" in error.message, error
client.remove("plus")

# A function that can't be loaded reports why, and the previous version keeps serving.
import notebook_module  # noqa: E402  the server doesn't have it

try:
    client.deploy("add", lambda x, y: notebook_module.add(x, y), override=True)
    raise AssertionError("loaded without its module")
except LoadError as error:
    assert "notebook_module" in str(error), error
assert client.query("add", [1], [2])["response"] == [103]

# Removed, and deployed again with other code.
client.remove("add")
for ask in (lambda: client.query("add", [1], [2]), lambda: client.remove("add")):
    try:
        ask()
        raise AssertionError("it is still there")
    except ResponseError as error:
        assert error.status_code == 404, error
status, answer = post("evaluate", {"script": "return tabpy.query('add', [1], [2])['response']", "data": {}})
assert status == 404, answer
client.deploy("add", lambda x, y: "new")
assert check_everywhere("add", ([1], [2]), "new") == 1

# What a function raises arrives with its own message.
client.deploy("fails", lambda x: int(x))
try:
    client.query("fails", "five")
    raise AssertionError("it didn't fail")
except ResponseError as error:
    assert error.status_code == 500 and "invalid literal for int()" in error.info["error"], error.info

for name in client.get_endpoints():
    client.remove(name)
assert client.get_endpoints() == {} == client.get_status()
print("passed")
