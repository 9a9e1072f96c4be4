/* Texts whose token loop is the engine's: two steps are in flight all the time. Each
 * choice has a ticket of its own, so that one can end before the others; the engine
 * puts them into the same steps. */
#include "answer.h"

enum { event_room = 16384 };

static int32_t take_events(struct answer *a, struct choice *c, char *events)
{
	uint64_t count = 0;
	TRY(a, "gen_next", realm_gen_next(c->ticket, (struct realm_event *)(void *)events, event_room, &count));
	for (char *at = events; count > 0; count--) {
		const struct realm_event *event = (const struct realm_event *)(void *)at;
		const struct realm_candidate *top = (const struct realm_candidate *)(const void *)(event + 1);
		at += event->size;
		if (c->ending != running)
			break;
		int32_t e = REALM_OK;
		if (event->kind == REALM_EVENT_TOKEN) {
			e = emit_token(a, c, event->token, event->logprob, top, event->top_k);
			if (e == REALM_OK && c->ending != running)
				TRY(a, "cancel", realm_cancel(c->ticket));
		} else if (event->error != REALM_OK) {
			a->call = "gen";
			return event->error;
		} else {
			e = emit_end(a, c, event->finish == REALM_FINISH_STOP ? ended_stop : event->finish == REALM_FINISH_LENGTH ? ended_length : ended_context);
		}
		if (e != REALM_OK)
			return e;
	}
	return REALM_OK;
}

int32_t generate(struct answer *a)
{
	char *events = memory_take(event_room);
	uint64_t *tickets = memory_take(a->count * sizeof *tickets);
	struct choice **waiting = memory_take(a->count * sizeof *waiting);
	uint64_t left = a->count;
	for (uint32_t i = 0; i < a->count; i++) {
		struct choice *c = &a->choices[i];
		struct realm_row row = row_of(a, c);
		row.max_tokens = a->request.max_tokens;
		row.stop = REALM_PTR(a->stop);
		row.stop_count = a->stop_count;
		if (a->count == 1) {
			row.tokens = REALM_PTR(a->prompt);
			row.n = a->prompt_count;
		}
		TRY(a, "gen", realm_gen(&row, 1, &c->ticket));
		tickets[i] = c->ticket;
		waiting[i] = c;
	}
	while (left > 0) {
		uint64_t which = 0;
		if (left > 1)
			TRY(a, "wait", realm_wait(tickets, left, REALM_FOREVER, &which));
		struct choice *c = waiting[which];
		int32_t e = take_events(a, c, events);
		if (e != REALM_OK)
			return e;
		if (c->ending != running) {
			left--;
			tickets[which] = tickets[left];
			waiting[which] = waiting[left];
		}
	}
	return REALM_OK;
}
