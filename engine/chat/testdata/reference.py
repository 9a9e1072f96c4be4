#!/usr/bin/env python3
"""Writes conversations.json: what Jinja2 (3.1.6), set up as Hugging Face's apply_chat_template does,
makes of templates/*.jinja for the conversations below. A template may refuse a conversation: then
there is the exception's message, or the word "error" where it fails by itself.
"""
import datetime
import glob
import json
import os

import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 7, 6, 9, 5, 3)

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather",
        "description": "The weather \"now\" <in> a city & around",
        "parameters": {
            "type": "object",
            "properties": {
                "unit": {"type": "string", "enum": ["c", "f"]},
                "city": {"type": "string", "description": "The city's name "},
                "days": {"type": ["integer", "null"]},
                "hours": {"type": "array", "items": {"type": "number"}},
            },
            "required": ["city"]},
        "return": {"type": "string"}}},
    {"type": "function", "function": {
        "name": "now", "description": "Zeit für alle", "parameters": {"type": "object", "properties": {}}}},
]


def call(arguments, identity="call12345"):
    return {"id": identity, "name": "get_weather", "arguments": json.dumps(arguments, ensure_ascii=False)}


CONVERSATIONS = {
    "question": {"messages": [{"role": "user", "content": "What is the capital of France?"}],
                 "add_generation_prompt": True},
    "answered": {"messages": [{"role": "user", "content": " Hi\n"}, {"role": "assistant", "content": "Hello!"}]},
    "system": {"messages": [
        {"role": "system", "content": "Be brief.\n"},
        {"role": "user", "content": "What is <b>'x'</b> & \"y\"? é🦙"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nIt is x."},
        {"role": "user", "content": "And y?"}], "add_generation_prompt": True},
    "reasoning": {"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_content": "because"}],
        "extra": {"enable_thinking": False}, "add_generation_prompt": True},
    "offer": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}],
              "tools": TOOLS, "add_generation_prompt": True},
    "call": {"messages": [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [call({"city": "Paris", "days": 2})]},
        {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "{\"t\": 21.5}"},
        {"role": "assistant", "content": "It is 21.5."},
        {"role": "user", "content": "Thanks"}], "tools": TOOLS, "add_generation_prompt": True},
    "calls": {"messages": [
        {"role": "user", "content": "Weather in Paris and Rome?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            call({"city": "Paris"}), call({"city": "Rome"}, "call67890")]},
        {"role": "tool", "tool_call_id": "call12345", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call67890", "content": "rain"}],
        "tools": TOOLS, "add_generation_prompt": True},
    "twice": {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
    "empty": {"messages": []},
    "extra": {"messages": [{"role": "system", "content": "one two"}, {"role": "user", "content": "line\nbreak"}],
              "extra": {"extra": {"level": 3, "list": [1, 2.5, None, True]}, "builtin_tools": ["get_weather"],
                        "date_string": "today"}},
}


class Generation(jinja2.ext.Extension):
    """{% generation %} marks what the model wrote; it shows in no text."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        return jinja2.nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class Raised(Exception):
    pass


def raise_exception(message):
    raise Raised(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def seen(message):
    """The message as a template sees it."""
    if "tool_calls" not in message:
        return message
    calls = [{"id": c["id"], "type": "function",
              "function": {"name": c["name"], "arguments": json.loads(c["arguments"])}}
             for c in message["tool_calls"]]
    return {**message, "tool_calls": calls}


def render(source, conversation):
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    variables = dict(conversation.get("extra", {}))
    variables.update(
        messages=[seen(m) for m in conversation["messages"]], tools=conversation.get("tools"), documents=None,
        add_generation_prompt=conversation.get("add_generation_prompt", False), bos_token="<s>", eos_token="</s>")
    try:
        return {"text": env.from_string(source).render(**variables)}
    except Raised as e:
        return {"raised": str(e)}
    except Exception:
        return {"error": True}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    texts = {}
    for path in sorted(glob.glob(os.path.join(here, "templates", "*.jinja"))):
        with open(path, encoding="utf-8") as f:
            source = f.read()
        texts[os.path.basename(path)] = {n: render(source, c) for n, c in CONVERSATIONS.items()}
    with open(os.path.join(here, "conversations.json"), "w", encoding="utf-8") as f:
        json.dump({"now": NOW.isoformat() + "Z", "conversations": CONVERSATIONS, "texts": texts}, f,
                  ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
