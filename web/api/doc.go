// Package api is the server's HTTP: OpenAI's chat, completions, embeddings, models and
// responses (https://platform.openai.com/docs/api-reference), what vLLM has besides
// (tokenize, detokenize, adapters), and what operators and probes ask for.
// docs/openapi.yaml describes it, and a test holds it to that.
//
// All errors have OpenAI's shape. A request is of one tenant, by its key, and ends
// when its client goes. A client that takes nothing for [Options.WriteTimeout] is
// dropped. The log has no text of prompts or answers.
package api
