/* What all examples begin with: the request, its model and its prompt. */
#ifndef PROMPT_H
#define PROMPT_H

#include "realm.h"
#include "json.h"

struct prompt {
	struct string args;
	uint32_t model;
	struct realm_model_info info;
	int32_t *tokens;
	uint64_t count;
};

/* Returns from the function at hand with the errno of a call, unless it is OK. */
#define TRY(expression) \
	do { \
		int32_t errno_ = (expression); \
		if (errno_ != REALM_OK) \
			return errno_; \
	} while (0)

/* Reads the request, a JSON object; opens its model; and makes tokens of "messages", by
 * the chat template, or of "prompt". Errnos: INVAL, and those of the calls. */
int32_t prompt_read(struct prompt *p);

/* Returns the value of a member of the request, as it stands there; "" without one. */
struct string prompt_member(const struct prompt *p, const char *name);

/* Returns a member that is a number, or what it is without one. */
double prompt_number(const struct prompt *p, const char *name, double otherwise);

/* Sends the text of tokens as that of the first choice. */
int32_t prompt_emit(const struct prompt *p, const int32_t *tokens, uint64_t n);

/* Reports whether a token ends a text. */
bool prompt_ends(const struct prompt *p, int32_t token);

/* Does a step of n rows and waits for it. An errno of a row is one of the step. */
int32_t prompt_step(const struct realm_row *rows, uint64_t n);

#endif
