/* The default guest: chat and completion, as docs/guest-request.md says. */
#include "answer.h"

REALM_CAPABILITIES("TOPK ADAPTER DRAFT GRAMMAR KV_SAVE");

REALM_EXPORT("realm_abi") uint32_t realm_abi(void) { return REALM_ABI; }

/* Reads the request into memory. */
static int32_t read_args(struct answer *a)
{
	uint64_t n = 0;
	a->call = "args";
	int32_t e = realm_args(0, 0, &n);
	if (e != REALM_OK && e != REALM_TOOBIG)
		return e;
	char *text = memory_take(n);
	if ((e = realm_args(text, n, &n)) != REALM_OK)
		return e;
	a->args = (struct string){text, n};
	a->call = 0;
	return REALM_OK;
}

REALM_EXPORT("realm_run") int32_t realm_run(void)
{
	static struct answer a;
	const char *error = 0;
	struct string member = {"", 0};
	int32_t e = read_args(&a);
	if (e == REALM_OK && !request_read(&a.request, a.args.data, a.args.length, &error, &member)) {
		a.call = "args";
		emit_error(&a, REALM_INVAL, error, member);
		return REALM_INVAL;
	}
	if (e == REALM_OK)
		e = answer_run(&a);
	if (e != REALM_OK)
		emit_error(&a, e, a.call, (struct string){"", 0});
	return e;
}
