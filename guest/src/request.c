#include "request.h"

#include <string.h>

/* The default of speculative.tokens. */
enum { usual_drafts = 4, most_drafts = 16 };

static void read_stops(struct json *j, struct stops *s)
{
	bool first = true, many = json_peek(j) == '[';
	while (!many || json_element(j, &first)) {
		struct string text = json_string(j);
		if (text.length > most_stop)
			json_fail(j, "a stop string is longer than 256 bytes");
		if (s->count == most_stops)
			json_fail(j, "there are more than 16 stop strings");
		if (j->error)
			return;
		if (text.length > 0)
			s->all[s->count++] = text;
		if (!many)
			return;
	}
}

/* Reads token ids, at most so many, 0 for any number. */
static size_t read_tokens(struct json *j, struct buffer *b, size_t most)
{
	bool first = true;
	while (json_element(j, &first)) {
		int32_t id = (int32_t)json_integer(j, INT32_MAX);
		buffer_append(b, &id, sizeof id);
		if (most && b->length / sizeof id > most)
			json_fail(j, "there are too many tokens");
		if (j->error)
			return 0;
	}
	return b->length / sizeof(int32_t);
}

/* Reads {"id": number}. */
static void read_biases(struct json *j, struct realm_sampler *s)
{
	struct buffer b = {0};
	struct string id;
	for (bool first = true; json_member(j, &first, &id);) {
		struct json number = json_read(id.data, id.length);
		struct realm_candidate bias = {(int32_t)json_integer(&number, INT32_MAX), 0};
		json_finish(&number);
		if (number.error)
			json_fail(j, "the name of a member is no token id");
		bias.value = (float)json_number(j);
		buffer_append(&b, &bias, sizeof bias);
		if (b.length / sizeof bias > most_biases)
			json_fail(j, "there are more than 1024 biases");
		if (j->error)
			return;
	}
	s->bias = REALM_PTR(b.data);
	s->bias_count = b.length / sizeof(struct realm_candidate);
}

/* Returns the index of a name in a list that ends with 0, or -1. */
static int index_of(struct string s, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (string_is(s, names[i]))
			return i;
	return -1;
}

static void read_grammar(struct json *j, struct request *r)
{
	static const char *const kinds[] = {"schema", "regex", "ebnf", 0};
	struct string name;
	bool text = false;
	for (bool first = true; json_member(j, &first, &name);) {
		if (string_is(name, "kind")) {
			r->grammar_kind = index_of(json_string(j), kinds);
		} else if (string_is(name, "text")) {
			r->grammar = json_string(j);
			text = true;
		} else {
			json_skip(j);
		}
	}
	if (r->grammar_kind < 0)
		json_fail(j, "kind is none of schema, regex and ebnf");
	if (!text)
		json_fail(j, "text is missing");
}

static void read_speculative(struct json *j, struct request *r)
{
	static const char *const modes[] = {"lookup", "model", 0};
	struct string name;
	r->draft_tokens = usual_drafts;
	for (bool first = true; json_member(j, &first, &name);) {
		if (string_is(name, "mode"))
			r->draft_mode = index_of(json_string(j), modes);
		else if (string_is(name, "tokens"))
			r->draft_tokens = (uint32_t)json_integer(j, most_drafts);
		else
			json_skip(j);
	}
	if (r->draft_mode < 0)
		json_fail(j, "mode is none of lookup and model");
	if (r->draft_tokens == 0)
		json_fail(j, "tokens is not in 1 to 16");
}

static void read_saved(struct json *j, struct saved *s)
{
	struct string name;
	s->ttl = 3600;
	for (bool first = true; json_member(j, &first, &name);) {
		if (string_is(name, "key"))
			s->key = json_string(j);
		else if (string_is(name, "ttl"))
			s->ttl = json_integer(j, UINT32_MAX);
		else
			json_skip(j);
	}
	if (s->key.length == 0 || s->key.length > 256)
		json_fail(j, "key is not of 1 to 256 bytes");
}

static float read_float(struct json *j) { return (float)json_number(j); }

/* Reads a member of sampling, if that is what it is. */
static bool read_sampling(struct json *j, struct realm_sampler *s, struct string name)
{
	if (string_is(name, "temperature"))
		s->temperature = read_float(j);
	else if (string_is(name, "top_k"))
		s->top_k = (uint32_t)json_integer(j, INT32_MAX);
	else if (string_is(name, "top_p"))
		s->top_p = read_float(j);
	else if (string_is(name, "min_p"))
		s->min_p = read_float(j);
	else if (string_is(name, "typical_p"))
		s->typical_p = read_float(j);
	else if (string_is(name, "repetition_penalty"))
		s->repetition_penalty = read_float(j);
	else if (string_is(name, "frequency_penalty"))
		s->frequency_penalty = read_float(j);
	else if (string_is(name, "presence_penalty"))
		s->presence_penalty = read_float(j);
	else if (string_is(name, "penalty_window"))
		s->penalty_window = (uint32_t)json_integer(j, INT32_MAX);
	else if (string_is(name, "seed"))
		s->seed = json_integer(j, UINT64_MAX);
	else if (string_is(name, "logit_bias"))
		read_biases(j, s);
	else
		return false;
	return true;
}

static void read_member(struct json *j, struct request *r, struct string name)
{
	if (json_null(j) || read_sampling(j, &r->sampling, name))
		return;
	if (string_is(name, "model"))
		r->model = json_string(j);
	else if (string_is(name, "messages"))
		r->messages = json_skip(j).length > 0;
	else if (string_is(name, "prompt")) {
		r->prompt = json_string(j);
		r->has_prompt = true;
	} else if (string_is(name, "prompt_tokens")) {
		struct buffer b = {0};
		r->prompt_token_count = read_tokens(j, &b, 0);
		r->prompt_tokens = (const int32_t *)(const void *)b.data;
	} else if (string_is(name, "special"))
		r->special = json_bool(j);
	else if (string_is(name, "adapter"))
		r->adapter = json_string(j);
	else if (string_is(name, "max_tokens"))
		r->max_tokens = json_integer(j, INT32_MAX);
	else if (string_is(name, "penalize_prompt"))
		r->penalize_prompt = json_bool(j);
	else if (string_is(name, "stop"))
		read_stops(j, &r->stops);
	else if (string_is(name, "stop_tokens")) {
		struct buffer b = {0};
		r->stop_token_count = read_tokens(j, &b, most_stop_tokens);
		if (!j->error && b.length)
			memcpy(r->stop_tokens, b.data, b.length);
	} else if (string_is(name, "ignore_eos"))
		r->ignore_eos = json_bool(j);
	else if (string_is(name, "n"))
		r->n = (uint32_t)json_integer(j, most_choices);
	else if (string_is(name, "best_of"))
		r->best_of = (uint32_t)json_integer(j, most_choices);
	else if (string_is(name, "logprobs"))
		r->logprobs = json_bool(j);
	else if (string_is(name, "top_logprobs"))
		r->top_logprobs = (uint32_t)json_integer(j, most_top);
	else if (string_is(name, "echo_tokens"))
		r->echo_tokens = json_bool(j);
	else if (string_is(name, "grammar"))
		read_grammar(j, r);
	else if (string_is(name, "speculative"))
		read_speculative(j, r);
	else if (string_is(name, "save"))
		read_saved(j, &r->save);
	else if (string_is(name, "load"))
		read_saved(j, &r->load);
	else
		json_skip(j);
}

bool request_read(struct request *r, const char *text, size_t length, const char **error, struct string *member)
{
	struct json j = json_read(text, length);
	*r = (struct request){.grammar_kind = -1, .draft_mode = -1};
	r->sampling.size = sizeof r->sampling;
	*member = (struct string){"", 0};
	struct string name;
	for (bool first = true; json_member(&j, &first, &name);) {
		*member = name;
		read_member(&j, r, name);
	}
	if (!j.error) {
		*member = (struct string){"", 0};
		json_finish(&j);
	}
	if (r->n == 0)
		r->n = 1;
	if (r->best_of == 0)
		r->best_of = r->n;
	if (r->best_of < r->n)
		json_fail(&j, "best_of is less than n");
	if (r->messages + r->has_prompt + (r->prompt_tokens != 0) != 1)
		json_fail(&j, "one of messages, prompt and prompt_tokens is wanted");
	*error = j.error;
	return !j.error;
}
