/* The embedding of a text: the hidden state of its last token, of length 1.
 *
 *     {"prompt": "..."}
 *
 * It shows ROW_HIDDEN. */
#include "prompt.h"

REALM_CAPABILITIES("HIDDEN");

REALM_EXPORT("realm_abi") uint32_t realm_abi(void) { return REALM_ABI; }

REALM_EXPORT("realm_run") int32_t realm_run(void)
{
	static struct prompt p;
	uint32_t sequence = 0;
	TRY(prompt_read(&p));
	TRY(realm_seq_open(p.model, 0, &sequence));
	uint64_t room = sizeof(struct realm_result) + p.info.embedding * sizeof(float);
	struct realm_result *r = memory_take(room);
	struct realm_row row = {
		.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(p.tokens), .n = p.count,
		.flags = REALM_ROW_NO_SAMPLE | REALM_ROW_HIDDEN, .out = REALM_PTR(r), .cap = room,
	};
	TRY(prompt_step(&row, 1));
	const float *state = (const float *)(const void *)((const char *)r + r->hidden);
	double square = 0;
	for (uint32_t i = 0; i < p.info.embedding; i++)
		square += (double)state[i] * state[i];
	double scale = square > 0 ? 1 / __builtin_sqrt(square) : 0;
	struct buffer event = {0};
	write_text(&event, "{\"type\":\"embedding\",\"data\":[");
	for (uint32_t i = 0; i < p.info.embedding; i++) {
		write_text(&event, i ? "," : "");
		write_number(&event, (float)(state[i] * scale));
	}
	write_text(&event, "]}");
	return realm_emit(REALM_CHANNEL_EVENT, event.data, event.length);
}
