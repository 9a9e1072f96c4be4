/* What the default guest is asked for: docs/guest-request.md. */
#ifndef REQUEST_H
#define REQUEST_H

#include "realm.h"
#include "json.h"
#include "text.h"

enum { most_choices = 128, most_stop_tokens = 49, most_biases = 1024, most_top = 20 };

struct saved {
	struct string key; /* empty: none */
	uint64_t ttl;      /* seconds */
};

struct request {
	struct string model;
	bool messages; /* the whole request goes to chat_encode */
	bool has_prompt;
	struct string prompt;
	const int32_t *prompt_tokens;
	size_t prompt_token_count;
	bool special;
	struct string adapter;

	uint64_t max_tokens;           /* 0: as many as the context takes */
	struct realm_sampler sampling; /* all zeros: greedy */
	bool penalize_prompt;

	struct stops stops;
	int32_t stop_tokens[most_stop_tokens];
	size_t stop_token_count;
	bool ignore_eos;

	uint32_t n, best_of; /* choices given out, and made */
	bool logprobs, echo_tokens;
	uint32_t top_logprobs;

	int grammar_kind; /* REALM_GRAMMAR_*; -1: none */
	struct string grammar;

	int draft_mode; /* REALM_DRAFT_*; -1: none */
	uint32_t draft_tokens;

	struct saved save, load;
};

/* Reads a request. Members that are not known are passed over. Where something is
 * wrong, error is what, and member the one it is in. */
bool request_read(struct request *r, const char *text, size_t length, const char **error, struct string *member);

#endif
