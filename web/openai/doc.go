// Package openai reads requests as OpenAI's clients write them, and writes answers as
// they read them (https://platform.openai.com/docs/api-reference). The ways into the
// server share it: HTTP (package api) and the WebSocket (package ws).
//
//	r, err := openai.ParseChat(body, openai.DefaultLimits())   // *ChatRequest
//	call := r.Call()                                           // service.Call
//	r, err := openai.ParseCompletion(body, limits)             // *CompletionRequest
//	calls := r.Calls()                                         // one for each prompt
//
// Errors are a *service.Error of code INVALID_REQUEST, and name the parameter.
//
// # What is honoured
//
// Every parameter that changes an answer is honoured, or refused by name: never passed
// over. Those that say who asks, what it is billed as and where it is cached are
// accepted. A member that is not known is refused by name, as OpenAI does, and not
// passed over, as vLLM does: clients that were made for OpenAI never send one, and
// whoever misspells temperature wants to know. null is as good as no member, anywhere.
//
// Beyond OpenAI's there are
//
//	top_k, min_p, typical_p, repetition_penalty, penalty_window, penalize_prompt
//	stop_token_ids, ignore_eos
//	adapter             a name; "none" for none, whatever the tenant's default
//	guest               a name
//	speculative         "lookup", "model", or {"mode": ..., "tokens": 1 to 16}
//	chat_template_kwargs
//	grammar             an EBNF (llama.cpp's), or {"kind": "schema", "regex" or "ebnf", "text": ...}
//	guided_json, guided_regex, guided_choice, guided_grammar, structured_outputs   vLLM's
//	parse_special       of completions: false for text that is only text
//
// # What differs
//
//   - A JSON schema is kept to by a grammar, whether it is strict or not.
//   - Arguments of tools are kept to their schema where a call is required or named. With
//     tool_choice auto they are as the model writes them.
//   - An answer that is held to a grammar cannot call tools, and is refused with
//     tool_choice auto. It is all content, of models that reason, too.
//   - reasoning_effort becomes variables of the chat template: reasoning_effort,
//     enable_thinking and thinking. A template that knows none of them does not change.
//   - repetition_penalty and OpenAI's penalties count what was written, and the prompt
//     too with penalize_prompt.
package openai
