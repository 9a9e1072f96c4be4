#!/usr/bin/env python3
"""Writes language.json: what Jinja2 (3.1.6) makes of the templates in language.txt, under the
settings that chat templates are written for. A template is a block of lines up to one that holds
only "====". The result is its text, or the kind of its error.
"""
import datetime
import json
import os

import jinja2.ext
from jinja2.exceptions import SecurityError, TemplateRuntimeError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {
    "text": " Grüße, Welt! ",
    "number": 7,
    "nothing": None,
    "words": ["b", "a", "C", "b"],
    "numbers": [3, 1, 2],
    "user": {"name": "Ann", "age": 30, "tags": ["x", "y"], "items": 1},
    "people": [
        {"role": "user", "name": "Ann", "at": {"n": 2}},
        {"role": "tool", "name": "Bob", "at": {"n": 1}},
        {"role": "user", "name": "cid"},
    ],
    "markup": "<a href=\"x\">'&'</a>",
    "lines": "one\n\n  two\nthree\n",
}


class Raised(Exception):
    pass


def raise_exception(message):
    raise Raised(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def render(source):
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    try:
        return {"text": env.from_string(source).render(**VARIABLES)}
    except Raised as e:
        return {"raised": str(e)}
    except UndefinedError:
        return {"error": "undefined"}
    except (TemplateSyntaxError, SyntaxError):
        return {"error": "syntax"}
    except (TemplateRuntimeError, TypeError, ValueError, ZeroDivisionError, AttributeError, SecurityError, OverflowError):
        return {"error": "type"}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "language.txt"), encoding="utf-8") as f:
        sources = f.read().removesuffix("\n====\n").split("\n====\n")
    cases = [{"source": source, **render(source)} for source in sources]
    with open(os.path.join(here, "language.json"), "w", encoding="utf-8") as f:
        json.dump({"variables": VARIABLES, "cases": cases}, f, ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
