#include "answer.h"

/* Sends out as an event. */
static int32_t send(struct answer *a)
{
	return realm_emit(REALM_CHANNEL_EVENT, a->out.data, a->out.length);
}

static void member(struct buffer *b, const char *name, uint64_t v)
{
	write_text(b, ",\"");
	write_text(b, name);
	write_text(b, "\":");
	write_integer(b, (int64_t)v);
}

int32_t emit_start(struct answer *a)
{
	if (a->started)
		return REALM_OK;
	a->started = true;
	a->out.length = 0;
	write_text(&a->out, "{\"type\":\"start\"");
	member(&a->out, "prompt_tokens", a->loaded + a->prompt_count);
	write_text(&a->out, "}");
	TRY(a, "emit", send(a));
	return REALM_OK;
}

/* Makes a buffer the bytes of a token. */
static int32_t piece_of(struct answer *a, int32_t token, struct buffer *piece)
{
	uint64_t n = 0;
	piece->length = 0;
	int32_t e = realm_detokenize(a->model, &token, 1, piece->data, piece->room, &n);
	if (e == REALM_TOOBIG) {
		buffer_extend(piece, n);
		e = realm_detokenize(a->model, &token, 1, piece->data, n, &n);
	}
	TRY(a, "detokenize", e);
	piece->length = n;
	return REALM_OK;
}

/* Appends the members of a token to out. */
static void describe(struct answer *a, int32_t token, const struct buffer *piece, float logprob)
{
	struct buffer *b = &a->out;
	write_text(b, "\"token\":");
	write_integer(b, token);
	write_text(b, ",\"text\":");
	write_string(b, piece->data, piece->length);
	if (!a->request.logprobs)
		return;
	write_text(b, ",\"logprob\":");
	write_number(b, logprob);
	write_text(b, ",\"bytes\":[");
	for (size_t i = 0; i < piece->length; i++) {
		if (i)
			write_text(b, ",");
		write_integer(b, (unsigned char)piece->data[i]);
	}
	write_text(b, "]");
}

/* Begins an event of a choice, whose rest follows. */
static void open(struct answer *a, struct choice *c, const char *type)
{
	a->out.length = 0;
	write_text(&a->out, "{\"type\":\"");
	write_text(&a->out, type);
	write_text(&a->out, "\",\"index\":");
	write_integer(&a->out, c->index);
}

static bool keeps(const struct answer *a) { return a->request.best_of > a->request.n; }

/* Sends an event of a choice, or keeps it with a newline behind it: of what is kept,
 * the index is written anew. */
static int32_t give(struct answer *a, struct choice *c)
{
	if (!keeps(a)) {
		TRY(a, "emit", send(a));
		return REALM_OK;
	}
	buffer_append(&c->kept_events, a->out.data, a->out.length);
	write_text(&c->kept_events, "\n");
	return REALM_OK;
}

/* Sends the text in out to a choice's channel, or keeps it. */
static int32_t give_text(struct answer *a, struct choice *c)
{
	if (a->out.length == 0)
		return REALM_OK;
	if (!keeps(a)) {
		TRY(a, "emit", realm_emit(c->index, a->out.data, a->out.length));
		return REALM_OK;
	}
	buffer_append(&c->kept_text, a->out.data, a->out.length);
	return REALM_OK;
}

static bool ends(const struct answer *a, int32_t token)
{
	for (uint32_t i = 0; i < a->stop_count; i++)
		if (a->stop[i] == token)
			return true;
	return false;
}

/* Tells a token, with what else might have been there. */
static int32_t tell(struct answer *a, struct choice *c, int32_t token, float logprob, const struct realm_candidate *top, uint32_t count)
{
	uint32_t most = a->request.top_logprobs;
	open(a, c, "token");
	write_text(&a->out, ",");
	describe(a, token, &a->piece, logprob);
	if (most > 0) {
		write_text(&a->out, ",\"top\":[");
		for (uint32_t i = 0; i < count && i < most; i++) {
			int32_t e = piece_of(a, top[i].token, &a->other);
			if (e != REALM_OK)
				return e;
			write_text(&a->out, i ? ",{" : "{");
			describe(a, top[i].token, &a->other, top[i].value);
			write_text(&a->out, "}");
		}
		write_text(&a->out, "]");
	}
	write_text(&a->out, "}");
	return give(a, c);
}

int32_t emit_token(struct answer *a, struct choice *c, int32_t token, float logprob, const struct realm_candidate *top, uint32_t count)
{
	int32_t e = emit_start(a);
	if (e == REALM_OK)
		e = piece_of(a, token, &a->piece);
	if (e != REALM_OK)
		return e;
	c->tokens++;
	c->logprob += logprob;
	if ((a->request.logprobs || a->request.echo_tokens) && (e = tell(a, c, token, logprob, top, count)) != REALM_OK)
		return e;
	if (ends(a, token))
		return REALM_OK; /* it is no text */
	a->out.length = 0;
	bool goes_on = text_add(&c->text, a->piece.data, a->piece.length, &a->out);
	if ((e = give_text(a, c)) != REALM_OK)
		return e;
	return goes_on ? REALM_OK : emit_end(a, c, ended_stop);
}

int32_t emit_end(struct answer *a, struct choice *c, enum ending ending)
{
	static const char *const names[] = {"", "stop", "length", "context"};
	if (c->ending != running)
		return REALM_OK;
	int32_t e = emit_start(a);
	if (e != REALM_OK)
		return e;
	c->ending = ending;
	a->out.length = 0;
	text_end(&c->text, &a->out);
	if ((e = give_text(a, c)) != REALM_OK)
		return e;
	open(a, c, "end");
	write_text(&a->out, ",\"finish_reason\":\"");
	write_text(&a->out, names[ending]);
	write_text(&a->out, "\"");
	if (c->text.stop) {
		write_text(&a->out, ",\"stop\":");
		write_string(&a->out, c->text.stop->data, c->text.stop->length);
	}
	member(&a->out, "tokens", c->tokens);
	if (a->request.draft_mode >= 0) {
		member(&a->out, "accepted", c->accepted);
		member(&a->out, "proposed", c->proposed);
	}
	write_text(&a->out, "}");
	return give(a, c);
}

/* Sends what was kept of a choice under another index. */
static int32_t send_kept(struct answer *a, struct choice *c, uint32_t index)
{
	if (c->kept_text.length)
		TRY(a, "emit", realm_emit(index, c->kept_text.data, c->kept_text.length));
	const char *at = c->kept_events.data, *end = at + c->kept_events.length;
	while (at < end) {
		const char *line = at;
		while (*at != '\n')
			at++;
		/* {"type":"...","index":N: the number is the first thing that is one. */
		const char *number = line;
		while (*number < '0' || *number > '9')
			number++;
		const char *rest = number;
		while (*rest >= '0' && *rest <= '9')
			rest++;
		a->out.length = 0;
		buffer_append(&a->out, line, (size_t)(number - line));
		write_integer(&a->out, index);
		buffer_append(&a->out, rest, (size_t)(at - rest));
		TRY(a, "emit", send(a));
		at++;
	}
	return REALM_OK;
}

int32_t emit_kept(struct answer *a)
{
	if (!keeps(a))
		return REALM_OK;
	for (uint32_t given = 0; given < a->request.n; given++) {
		struct choice *best = 0;
		for (uint32_t i = 0; i < a->count; i++) {
			struct choice *c = &a->choices[i];
			/* The mean, so that a short text is not better for being short. */
			if (c->tokens && (!best || c->logprob * (double)best->tokens > best->logprob * (double)c->tokens))
				best = c;
		}
		int32_t e = send_kept(a, best, given);
		if (e != REALM_OK)
			return e;
		best->logprob = 0;
		a->count--;
		struct choice *last = &a->choices[a->count];
		struct choice swap = *best;
		*best = *last;
		*last = swap;
	}
	a->count = a->request.best_of;
	return REALM_OK;
}

int32_t count_cached(struct answer *a)
{
	struct realm_seq_stat stat = {.size = sizeof stat};
	if (a->counted)
		return REALM_OK;
	TRY(a, "seq_stat", realm_seq_stat(&a->choices[0].sequence, 1, &stat));
	a->counted = true;
	a->cached = stat.cached;
	return REALM_OK;
}

int32_t emit_usage(struct answer *a)
{
	uint64_t tokens = 0, accepted = 0, proposed = 0;
	for (uint32_t i = 0; i < a->count; i++) {
		tokens += a->choices[i].tokens;
		accepted += a->choices[i].accepted;
		proposed += a->choices[i].proposed;
	}
	int32_t e = count_cached(a);
	if (e != REALM_OK)
		return e;
	a->out.length = 0;
	write_text(&a->out, "{\"type\":\"usage\"");
	member(&a->out, "prompt_tokens", a->loaded + a->prompt_count);
	member(&a->out, "cached_tokens", a->cached);
	member(&a->out, "completion_tokens", tokens);
	if (a->request.draft_mode >= 0) {
		member(&a->out, "accepted", accepted);
		member(&a->out, "proposed", proposed);
	}
	write_text(&a->out, "}");
	TRY(a, "emit", send(a));
	return REALM_OK;
}

void emit_error(struct answer *a, int32_t error, const char *message, struct string detail)
{
	static const char *const names[] = {
		"OK", "INVAL", "BADF", "FAULT", "NOSYS", "PERM", "AGAIN", "NOENT", "TOOBIG", "NOMEM",
		"QUOTA", "OVERFLOW", "TIMEDOUT", "CANCELED", "EVICTED", "GRAMMAR", "IO", "BUSY",
	};
	struct buffer text = {0};
	write_text(&text, message);
	if (detail.length) {
		write_text(&text, ": ");
		buffer_append(&text, detail.data, detail.length);
	}
	a->out.length = 0;
	write_text(&a->out, "{\"type\":\"error\",\"errno\":\"");
	write_text(&a->out, error > 0 && (size_t)error < sizeof names / sizeof *names ? names[error] : "IO");
	write_text(&a->out, "\"");
	if (a->call) {
		write_text(&a->out, ",\"call\":\"");
		write_text(&a->out, a->call);
		write_text(&a->out, "\"");
	}
	write_text(&a->out, ",\"message\":");
	write_string(&a->out, text.data, text.length);
	write_text(&a->out, "}");
	send(a); /* where this fails, there is nobody to tell */
}
