/* Beam search: of all texts, one that is among the most probable as a whole, and not
 * token by token.
 *
 *     {"messages": [...], "beams": 4, "max_tokens": 64}
 *
 * Each step reads one token of every beam and brings its best continuations; a beam
 * that goes on in two ways is forked, which copies nothing. It shows step, ROW_TOPK
 * and seq_fork. */
#include "prompt.h"

#include <string.h>

REALM_CAPABILITIES("TOPK");

enum { most_beams = 16, most_tokens = 512 };

struct beam {
	uint32_t sequence;
	double logprob;
	int32_t tokens[most_tokens];
	uint32_t count;
	bool ended;
};

struct result {
	struct realm_result head;
	struct realm_candidate candidates[most_beams];
};

/* A way that a beam may go on. */
struct path {
	uint32_t beam;
	int32_t token; /* -1: none, the beam has ended */
	double logprob;
};

static struct beam beams[most_beams], next[most_beams];
static struct result results[most_beams];
static struct path paths[most_beams * (most_beams + 1)];

REALM_EXPORT("realm_abi") uint32_t realm_abi(void) { return REALM_ABI; }

/* Keeps the best of the ways found so far, best first. */
static uint32_t keep(uint32_t count, uint32_t most, struct path p)
{
	uint32_t at = count < most ? count : most;
	if (count == most && (most == 0 || p.logprob <= paths[most - 1].logprob))
		return count;
	if (count == most)
		at = most - 1;
	for (; at > 0 && paths[at - 1].logprob < p.logprob; at--)
		paths[at] = paths[at - 1];
	paths[at] = p;
	return count < most ? count + 1 : count;
}

/* Has every beam read its last token and tells how it may go on. */
static int32_t look(const struct prompt *p, uint32_t count, uint32_t width)
{
	struct realm_row rows[most_beams];
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct beam *b = &beams[i];
		if (b->ended)
			continue;
		rows[n] = (struct realm_row){
			.size = sizeof *rows, .sequence = b->sequence, .flags = REALM_ROW_NO_SAMPLE | REALM_ROW_TOPK, .top_k = width,
			.tokens = b->count ? REALM_PTR(&b->tokens[b->count - 1]) : REALM_PTR(p->tokens), .n = b->count ? 1 : p->count,
			.out = REALM_PTR(&results[i]), .cap = sizeof *results,
		};
		n++;
	}
	return prompt_step(rows, n);
}

/* Makes the beams those of the ways that were kept. */
static int32_t follow(const struct prompt *p, uint32_t ways, uint32_t before)
{
	bool used[most_beams] = {false};
	for (uint32_t i = 0; i < ways; i++) {
		struct beam *from = &beams[paths[i].beam];
		next[i] = *from;
		next[i].logprob = paths[i].logprob;
		if (paths[i].token < 0)
			continue;
		/* The first way takes the sequence, the others forks of it. */
		if (used[paths[i].beam])
			TRY(realm_seq_fork(from->sequence, 1, &next[i].sequence));
		used[paths[i].beam] = true;
		next[i].tokens[next[i].count++] = paths[i].token;
		next[i].ended = prompt_ends(p, paths[i].token);
	}
	for (uint32_t i = 0; i < before; i++)
		if (!used[i] && !beams[i].ended)
			TRY(realm_close(beams[i].sequence));
	memcpy(beams, next, ways * sizeof *beams);
	return REALM_OK;
}

REALM_EXPORT("realm_run") int32_t realm_run(void)
{
	static struct prompt p;
	TRY(prompt_read(&p));
	double wanted = prompt_number(&p, "beams", 4), tokens = prompt_number(&p, "max_tokens", 64);
	if (!(wanted >= 1 && wanted <= most_beams && tokens >= 1 && tokens <= most_tokens))
		return REALM_INVAL;
	uint32_t width = (uint32_t)wanted, count = 1;
	TRY(realm_seq_open(p.model, 0, &beams[0].sequence));
	for (uint32_t step = 0; step < (uint32_t)tokens; step++) {
		uint32_t ways = 0, running = 0;
		for (uint32_t i = 0; i < count; i++)
			running += !beams[i].ended;
		if (running == 0)
			break;
		TRY(look(&p, count, width));
		for (uint32_t i = 0; i < count; i++) {
			if (beams[i].ended) {
				ways = keep(ways, width, (struct path){i, -1, beams[i].logprob});
				continue;
			}
			for (uint32_t k = 0; k < results[i].head.top_k; k++) {
				const struct realm_candidate *c = &results[i].candidates[k];
				ways = keep(ways, width, (struct path){i, c->token, beams[i].logprob + c->value});
			}
		}
		TRY(follow(&p, ways, count));
		count = ways;
	}
	TRY(prompt_emit(&p, beams[0].tokens, beams[0].count));
	struct buffer event = {0};
	write_text(&event, "{\"type\":\"beam\",\"logprob\":");
	write_number(&event, (float)beams[0].logprob);
	write_text(&event, ",\"ids\":[");
	for (uint32_t i = 0; i < beams[0].count; i++) {
		write_text(&event, i ? "," : "");
		write_integer(&event, beams[0].tokens[i]);
	}
	write_text(&event, "]}");
	return realm_emit(REALM_CHANNEL_EVENT, event.data, event.length);
}
