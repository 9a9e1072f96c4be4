#include "answer.h"

#include <string.h>

/* Reads the request's tokens, with room for as many as are needed. */
static int32_t encode(struct answer *a)
{
	const struct request *r = &a->request;
	if (!r->messages && !r->has_prompt) {
		a->prompt = memory_take(r->prompt_token_count * sizeof *a->prompt);
		memcpy(a->prompt, r->prompt_tokens, r->prompt_token_count * sizeof *a->prompt);
		a->prompt_count = r->prompt_token_count;
		return REALM_OK;
	}
	/* A token is a byte at least, save those that a template adds. */
	uint64_t room = (r->messages ? a->args.length : r->prompt.length) + 64;
	/* What goes on behind a saved text does not begin anew. */
	uint32_t flags = (r->load.key.length ? 0 : REALM_TOKENIZE_BOS) | (r->special ? REALM_TOKENIZE_SPECIAL : 0);
	for (;;) {
		a->prompt = memory_take(room * sizeof *a->prompt);
		int32_t e = r->messages
			? realm_chat_encode(a->model, a->args.data, a->args.length, a->prompt, room, &a->prompt_count)
			: realm_tokenize(a->model, r->prompt.data, r->prompt.length, flags, a->prompt, room, &a->prompt_count);
		if (e == REALM_TOOBIG && a->prompt_count > room) {
			room = a->prompt_count;
			continue;
		}
		TRY(a, r->messages ? "chat_encode" : "tokenize", e);
		return REALM_OK;
	}
}

/* Opens what the request names. */
static int32_t open_all(struct answer *a)
{
	const struct request *r = &a->request;
	TRY(a, "model_open", realm_model_open(r->model.data, r->model.length, &a->model));
	TRY(a, "model_info", realm_model_info(a->model, &a->info, sizeof a->info));
	if (r->adapter.length)
		TRY(a, "adapter_open", realm_adapter_open(a->model, r->adapter.data, r->adapter.length, &a->adapter));
	if (!r->ignore_eos)
		for (uint32_t i = 0; i < a->info.stop_count; i++)
			a->stop[a->stop_count++] = a->info.stop[i];
	for (size_t i = 0; i < r->stop_token_count; i++)
		a->stop[a->stop_count++] = r->stop_tokens[i];
	int32_t e = encode(a);
	if (e != REALM_OK)
		return e;
	a->count = r->best_of;
	a->choices = memory_take(a->count * sizeof *a->choices);
	memset(a->choices, 0, a->count * sizeof *a->choices);
	struct choice *first = &a->choices[0];
	if (r->load.key.length) {
		struct realm_seq_stat stat = {.size = sizeof stat};
		TRY(a, "seq_load", realm_seq_load(a->model, r->load.key.data, r->load.key.length, &first->sequence));
		TRY(a, "seq_stat", realm_seq_stat(&first->sequence, 1, &stat));
		a->loaded = stat.length;
	} else {
		TRY(a, "seq_open", realm_seq_open(a->model, 0, &first->sequence));
	}
	if (r->grammar_kind >= 0)
		TRY(a, "grammar_new", realm_grammar_new(a->model, (uint32_t)r->grammar_kind, r->grammar.data, r->grammar.length, &first->grammar));
	return REALM_OK;
}

/* Reads the prompt once, and forks it. */
static int32_t fork_all(struct answer *a)
{
	uint32_t forks[most_choices];
	struct realm_result result = {0};
	uint64_t ticket = 0, which = 0;
	struct choice *first = &a->choices[0];
	struct realm_row row = row_of(a, first);
	row.sampler = row.grammar = 0;
	row.tokens = REALM_PTR(a->prompt);
	row.n = a->prompt_count;
	row.flags = REALM_ROW_NO_SAMPLE;
	row.out = REALM_PTR(&result);
	row.cap = sizeof result;
	TRY(a, "step", realm_step(&row, 1, &ticket));
	TRY(a, "wait", realm_wait(&ticket, 1, REALM_FOREVER, &which));
	TRY(a, "step", result.error);
	int32_t e = count_cached(a);
	if (e != REALM_OK)
		return e;
	TRY(a, "seq_fork", realm_seq_fork(first->sequence, a->count - 1, forks));
	for (uint32_t i = 1; i < a->count; i++) {
		a->choices[i].sequence = forks[i - 1];
		if (first->grammar)
			TRY(a, "grammar_fork", realm_grammar_fork(first->grammar, &a->choices[i].grammar));
	}
	return emit_start(a);
}

/* Makes the samplers. Choices differ in their seeds. */
static int32_t make_samplers(struct answer *a)
{
	static const struct realm_sampler greedy = {.size = sizeof greedy};
	struct realm_sampler spec = a->request.sampling;
	if (a->request.penalize_prompt) {
		spec.accepted = REALM_PTR(a->prompt);
		spec.accepted_count = a->prompt_count;
	}
	for (uint32_t i = 0; i < a->count; i++) {
		struct choice *c = &a->choices[i];
		c->index = i;
		c->text.stops = &a->request.stops;
		if (memcmp(&a->request.sampling, &greedy, sizeof greedy) != 0)
			TRY(a, "sampler_new", realm_sampler_new(a->model, &spec, sizeof spec, &c->sampler));
		spec.seed++;
	}
	return REALM_OK;
}

struct realm_row row_of(const struct answer *a, const struct choice *c)
{
	const struct request *r = &a->request;
	struct realm_row row = {.size = sizeof row, .sequence = c->sequence, .sampler = c->sampler, .grammar = c->grammar, .adapter = a->adapter};
	if (r->logprobs || r->best_of > r->n)
		row.flags |= REALM_ROW_LOGPROBS;
	if (r->logprobs && r->top_logprobs > 0) {
		row.flags |= REALM_ROW_TOPK;
		row.top_k = r->top_logprobs;
	}
	return row;
}

int32_t answer_run(struct answer *a)
{
	int32_t e = open_all(a);
	if (e == REALM_OK)
		e = make_samplers(a);
	if (e == REALM_OK && a->count > 1)
		e = fork_all(a);
	if (e == REALM_OK)
		e = a->request.draft_mode >= 0 ? speculate(a) : generate(a);
	if (e == REALM_OK)
		e = emit_kept(a);
	if (e != REALM_OK)
		return e;
	const struct saved *s = &a->request.save;
	if (s->key.length)
		TRY(a, "seq_save", realm_seq_save(a->choices[0].sequence, s->key.data, s->key.length, s->ttl));
	return emit_usage(a);
}
