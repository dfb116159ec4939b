"""JSON schemas of a function's parameters and result, made from samples of both."""

import json

from tabpy.tabpy_tools.values import to_json


def generate_schema(input, output, input_description=None, output_description=None):
    """Describe a function for those who will call it.

    Parameters
    ----------
    input : dict
        A sample value for each parameter, by its name.
    output : object
        The result of that call.
    input_description : dict, optional
        What each parameter means, by its name.
    output_description : str, optional
        What the result means.

    Returns
    -------
    dict
        `input` and `output` are JSON schemas, `sample` is the `input` that was given: what `Client.deploy` takes as
        `schema`.

    Raises
    ------
    TypeError
        `input` or `input_description` isn't a dict, or JSON can't represent a value.
    ValueError
        `input_description` names a parameter that `input` doesn't have.

    Examples
    --------
    >>> schema = generate_schema(
    ...     input={"x": 3, "y": 2},
    ...     output=5,
    ...     input_description={"x": "first value", "y": "second value"},
    ...     output_description="the sum of x and y")
    >>> schema["input"]["properties"]["x"]
    {'type': 'integer', 'description': 'first value'}
    >>> schema["output"]
    {'type': 'integer', 'description': 'the sum of x and y'}
    """
    descriptions = {} if input_description is None else input_description
    for name, given in (("input", input), ("input_description", descriptions)):
        if not isinstance(given, dict):
            raise TypeError("%s %s: expected a dict with the names of the parameters" % (name, type(given).__name__))
    unknown = [name for name in descriptions if name not in input]
    if unknown:
        raise ValueError("input_description names %r: expected the names in input" % (unknown[0],))
    sample = json.loads(to_json(input))
    schema = _schema_of(sample)
    for name, description in descriptions.items():
        schema["properties"][name]["description"] = description
    result = _schema_of(json.loads(to_json(output)))
    if output_description is not None:
        result["description"] = output_description
    return {"input": schema, "sample": sample, "output": result}


_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def _schema_of(value):
    if isinstance(value, dict):
        properties = {name: _schema_of(member) for name, member in value.items()}
        return {"type": "object", "properties": properties, "required": sorted(properties)}
    if isinstance(value, list):
        items = _without_repeats([_schema_of(item) for item in value])
        if not items:
            return {"type": "array"}
        return {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}
    return {"type": _TYPES[type(value)]}


def _without_repeats(schemas):
    """Each schema once; `integer` is left out beside `number`, which includes it."""
    kept = []
    for schema in schemas:
        if schema not in kept:
            kept.append(schema)
    if {"type": "number"} in kept and {"type": "integer"} in kept:
        kept.remove({"type": "integer"})
    return kept
