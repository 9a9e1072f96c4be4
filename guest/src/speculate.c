/* Texts of which some tokens are proposed before they are chosen, a step for all
 * choices together. How many are proposed follows how many were right. */
#include "answer.h"

enum { most_drafts = 16 };

/* What a step needs of each choice. */
struct slot {
	struct choice *choice;
	struct realm_draft draft;
	struct realm_result *result;
	size_t room;
};

/* Has tokens proposed for the choices that still run. */
static int32_t propose(struct answer *a, struct slot *slots, uint32_t *handles, struct realm_draft *drafts, uint32_t n)
{
	uint32_t most = 0;
	uint64_t ticket = 0, which = 0;
	for (uint32_t i = 0; i < n; i++) {
		handles[i] = slots[i].choice->sequence;
		if (slots[i].choice->drafts > most)
			most = slots[i].choice->drafts;
	}
	drafts[0].size = sizeof *drafts;
	int32_t e = realm_draft(handles, n, most, (uint32_t)a->request.draft_mode, drafts, &ticket);
	TRY(a, "draft", e);
	TRY(a, "wait", realm_wait(&ticket, 1, REALM_FOREVER, &which));
	for (uint32_t i = 0; i < n; i++) {
		slots[i].draft = drafts[i];
		if (drafts[i].error != REALM_OK)
			slots[i].draft.count = 0; /* the text goes on without */
		if (slots[i].draft.count > slots[i].choice->drafts)
			slots[i].draft.count = slots[i].choice->drafts;
		/* No more than may still be given out. */
		uint64_t left = a->request.max_tokens - slots[i].choice->tokens;
		if (a->request.max_tokens && slots[i].draft.count + 1 > left)
			slots[i].draft.count = (uint32_t)left - 1;
	}
	return REALM_OK;
}

/* Takes what a step has chosen. */
static int32_t judge(struct answer *a, struct slot *s)
{
	struct choice *c = s->choice;
	const struct realm_result *r = s->result;
	const char *base = (const char *)r;
	const int32_t *tokens = (const int32_t *)(const void *)(base + r->tokens);
	const float *logprobs = (const float *)(const void *)(base + r->logprobs);
	const struct realm_candidate *top = (const struct realm_candidate *)(const void *)(base + r->candidates);
	if (r->error != REALM_OK) {
		if (r->error == REALM_OVERFLOW && c->tokens > 0)
			return emit_end(a, c, ended_context);
		a->call = "step";
		return r->error;
	}
	if (s->draft.count > 0) {
		c->accepted += r->accepted;
		c->proposed += s->draft.count;
		if (r->accepted == s->draft.count)
			c->drafts = c->drafts + 2 > most_drafts ? most_drafts : c->drafts + 2;
		else
			c->drafts = (c->drafts + r->accepted + 1) / 2;
	}
	for (uint32_t i = 0; i < r->count && c->ending == running; i++) {
		int32_t e = emit_token(a, c, tokens[i], r->logprobs ? logprobs[i] : 0, r->candidates ? top + i * r->top_k : 0, r->candidates ? r->top_k : 0);
		for (uint32_t k = 0; e == REALM_OK && k < a->stop_count; k++)
			if (a->stop[k] == tokens[i])
				e = emit_end(a, c, ended_stop);
		if (e == REALM_OK && a->request.max_tokens && c->tokens >= a->request.max_tokens)
			e = emit_end(a, c, ended_length);
		if (e != REALM_OK)
			return e;
	}
	if (r->finish == REALM_FINISH_CONTEXT)
		return emit_end(a, c, ended_context);
	return REALM_OK;
}

int32_t speculate(struct answer *a)
{
	uint32_t n = a->count;
	struct slot *slots = memory_take(n * sizeof *slots);
	struct realm_row *rows = memory_take(n * sizeof *rows);
	struct realm_draft *drafts = memory_take(n * sizeof *drafts);
	uint32_t *handles = memory_take(n * sizeof *handles);
	size_t room = sizeof(struct realm_result) + (most_drafts + 1) * (8 + a->request.top_logprobs * sizeof(struct realm_candidate));
	for (uint32_t i = 0; i < n; i++) {
		slots[i] = (struct slot){.choice = &a->choices[i], .result = memory_take(room), .room = room};
		a->choices[i].drafts = a->request.draft_tokens;
	}
	for (bool first = true; n > 0; first = false) {
		uint64_t ticket = 0, which = 0;
		int32_t e;
		if (!first && (e = propose(a, slots, handles, drafts, n)) != REALM_OK)
			return e;
		for (uint32_t i = 0; i < n; i++) {
			struct slot *s = &slots[i];
			rows[i] = row_of(a, s->choice);
			rows[i].out = REALM_PTR(s->result);
			rows[i].cap = s->room;
			if (first && a->count == 1) {
				rows[i].tokens = REALM_PTR(a->prompt);
				rows[i].n = a->prompt_count;
			} else if (s->draft.count > 0) {
				rows[i].tokens = REALM_PTR(s->draft.tokens);
				rows[i].n = rows[i].drafts = s->draft.count;
				rows[i].flags |= REALM_ROW_VERIFY;
				/* Nothing is accepted behind the end. */
				rows[i].stop = REALM_PTR(a->stop);
				rows[i].stop_count = a->stop_count;
			}
		}
		TRY(a, "step", realm_step(rows, n, &ticket));
		TRY(a, "wait", realm_wait(&ticket, 1, REALM_FOREVER, &which));
		if (first && (e = count_cached(a)) != REALM_OK)
			return e;
		for (uint32_t i = 0; i < n;) {
			if ((e = judge(a, &slots[i])) != REALM_OK)
				return e;
			if (slots[i].choice->ending == running) {
				i++;
				continue;
			}
			struct slot ended = slots[i];
			slots[i] = slots[--n];
			slots[n] = ended;
		}
	}
	return REALM_OK;
}
