/* An answer that is held to a JSON schema: whatever the model would say, no token is
 * chosen that does not fit.
 *
 *     {"messages": [...], "schema": {"type": "object", ...}, "max_tokens": 256}
 *
 * It shows grammar_new and gen. */
#include "prompt.h"

REALM_CAPABILITIES("GRAMMAR");

REALM_EXPORT("realm_abi") uint32_t realm_abi(void) { return REALM_ABI; }

REALM_EXPORT("realm_run") int32_t realm_run(void)
{
	static struct prompt p;
	static struct realm_event events[64];
	uint32_t grammar = 0, sequence = 0;
	uint64_t ticket = 0, count = 0;
	TRY(prompt_read(&p));
	struct string schema = prompt_member(&p, "schema");
	TRY(realm_grammar_new(p.model, REALM_GRAMMAR_SCHEMA, schema.data, schema.length, &grammar));
	TRY(realm_seq_open(p.model, 0, &sequence));
	struct realm_row row = {
		.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(p.tokens), .n = p.count, .grammar = grammar,
		.max_tokens = (uint64_t)prompt_number(&p, "max_tokens", 256), .stop = REALM_PTR(p.info.stop), .stop_count = p.info.stop_count,
	};
	TRY(realm_gen(&row, 1, &ticket));
	for (;;) {
		TRY(realm_gen_next(ticket, events, sizeof events, &count));
		for (uint64_t i = 0; i < count; i++) {
			if (events[i].kind == REALM_EVENT_END)
				/* A text that was cut off is no JSON. */
				return events[i].error ? events[i].error : events[i].finish == REALM_FINISH_STOP ? REALM_OK : REALM_TOOBIG;
			if (!prompt_ends(&p, events[i].token))
				TRY(prompt_emit(&p, &events[i].token, 1));
		}
	}
}
