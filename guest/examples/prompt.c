#include "prompt.h"

int32_t prompt_read(struct prompt *p)
{
	uint64_t n = 0;
	int32_t e = realm_args(0, 0, &n);
	if (e != REALM_OK && e != REALM_TOOBIG)
		return e;
	char *text = memory_take(n);
	TRY(realm_args(text, n, &n));
	p->args = (struct string){text, n};
	TRY(realm_model_open("", 0, &p->model));
	TRY(realm_model_info(p->model, &p->info, sizeof p->info));
	struct string raw = prompt_member(p, "prompt");
	bool messages = prompt_member(p, "messages").length > 0;
	if (messages == (raw.length > 0))
		return REALM_INVAL;
	struct json j = json_read(raw.data, raw.length);
	struct string prompt = {"", 0};
	if (!messages)
		prompt = json_string(&j);
	if (j.error)
		return REALM_INVAL;
	for (uint64_t room = 256;; room = p->count) {
		p->tokens = memory_take(room * sizeof *p->tokens);
		e = messages
			? realm_chat_encode(p->model, p->args.data, p->args.length, p->tokens, room, &p->count)
			: realm_tokenize(p->model, prompt.data, prompt.length, REALM_TOKENIZE_BOS | REALM_TOKENIZE_SPECIAL, p->tokens, room, &p->count);
		if (e != REALM_TOOBIG)
			return e;
	}
}

struct string prompt_member(const struct prompt *p, const char *name)
{
	struct json j = json_read(p->args.data, p->args.length);
	struct string found = {"", 0}, member;
	for (bool first = true; json_member(&j, &first, &member);) {
		struct string value = json_skip(&j);
		if (string_is(member, name))
			found = value;
	}
	return found;
}

double prompt_number(const struct prompt *p, const char *name, double otherwise)
{
	struct string text = prompt_member(p, name);
	bool ok;
	double v = number_parse(text.data, text.length, &ok);
	return ok ? v : otherwise;
}

int32_t prompt_emit(const struct prompt *p, const int32_t *tokens, uint64_t n)
{
	uint64_t length = 0;
	int32_t e = realm_detokenize(p->model, tokens, n, 0, 0, &length);
	if (e != REALM_OK && e != REALM_TOOBIG)
		return e;
	char *text = memory_take(length);
	TRY(realm_detokenize(p->model, tokens, n, text, length, &length));
	return realm_emit(REALM_CHANNEL_TEXT, text, length);
}

bool prompt_ends(const struct prompt *p, int32_t token)
{
	for (uint32_t i = 0; i < p->info.stop_count; i++)
		if (p->info.stop[i] == token)
			return true;
	return false;
}

int32_t prompt_step(const struct realm_row *rows, uint64_t n)
{
	uint64_t ticket = 0, which = 0;
	TRY(realm_step(rows, n, &ticket));
	TRY(realm_wait(&ticket, 1, REALM_FOREVER, &which));
	for (uint64_t i = 0; i < n; i++)
		TRY(((const struct realm_result *)(uintptr_t)rows[i].out)->error);
	return REALM_OK;
}
