// Package chat turns a conversation into the text that a model continues, and reads what the model
// answers.
//
// # Templates
//
// A conversation is written by the template that comes with the model. Templates are Jinja under
// the conventions of Hugging Face
// (https://huggingface.co/docs/transformers/chat_templating_writing), see package jinja.
//
// # Answers
//
// A [Parser] takes an answer apart while it is written: reasoning, content and calls of functions.
// How these are marked is a [Format]:
//
//	hermes     <think>\nWeather.\n</think>\n\nOne moment.\n
//	           <tool_call>\n{"name": "weather", "arguments": {"city": "Bonn"}}\n</tool_call>
//	llama3     {"name": "weather", "parameters": {"city": "Bonn"}}; {"name": "now", "parameters": {}}
//	           <|python_tag|>{"name": "weather", "parameters": {"city": "Bonn"}}
//	           <function=weather>{"city": "Bonn"}</function>
//	mistral    [THINK]Weather.[/THINK]One moment.
//	           [TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Bonn"}}, ...]
//	           [TOOL_CALLS]weather[ARGS]{"city": "Bonn"}[TOOL_CALLS]now[ARGS]{}
//	           [TOOL_CALLS]weather[CALL_ID]a1b2c3d4e[ARGS]{"city": "Bonn"}
//	deepseek   <think>\nWeather.\n</think>\n\nIt rains.
//	plain      It rains.
//
// Pieces go out as soon as it is sure what they are. With "|" where the text is cut into pushes:
//
//	One mo|ment.\n<too|l_call>{"name": "weather", "argum|ents": {"ci|ty": "Bonn"}}</tool_call>|
//
//	push 1   content "One mo"
//	push 2   content "ment."                      "\n<too" may be the beginning of a call
//	push 3                                        a call without a name is not yet one
//	push 4   call 0 "weather", arguments {"ci
//	push 5   arguments ty": "Bonn"}
//
// # White space
//
// Line feeds behind <think>, before </think> and behind </think> are the block's frame, and so is
// white space before <think>. White space next to a call is dropped, unless there is content on
// both sides. Everything else is kept as it is: of
//
//	\n<think>\n\na \n\n</think>\n\n b\n\n<tool_call>...</tool_call>\n
//
// the reasoning is "a " and the content " b". White space beyond 4,096 bytes at one place is text.
//
// # What is no call
//
// Nothing is lost: what begins like a call and is none comes back as the content that it was, marker
// and all. That is so
//
//   - where what stands in the frame is not JSON (RFC 8259, to the letter: a line feed in a string
//     is none), or nests more than 64 deep,
//   - where it has no name, or a name of more than 256 bytes, or arguments that are no object; a
//     call without arguments has {}, but for Llama's calls without a marker,
//   - where it is not whole when the text ends,
//   - where more than 1 MiB would have to be held back to know.
//
// A call counts when its name and its arguments are whole. If what is behind them is malformed, that
// is content and the call stays; a closing brace or marker may be missing.
//
// By default arguments go out as they come, and once they have begun they cannot be called back. If
// they turn out malformed or the text ends inside them, the call stays with the arguments that it
// has, which are then no JSON, and content goes on with the first byte that is wrong. With WholeCalls
// a call is held back until it counts, and so all of this is content.
//
// Reasoning is read at the beginning of an answer only, and calls are read in content only; elsewhere
// the markers are text. Llama's calls without a marker stand at the beginning of the content or
// behind another call; an object there that has other members than name, parameters, arguments, type
// and id is content.
//
// Ids of calls are made, not read: models repeat theirs, and write them behind the arguments.
package chat
