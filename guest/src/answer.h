/* An answer under way: what its parts share. */
#ifndef ANSWER_H
#define ANSWER_H

#include "realm.h"
#include "request.h"

enum ending { running, ended_stop, ended_length, ended_context };

/* A choice is one of the texts that are written. */
struct choice {
	uint32_t index;
	uint32_t sequence, sampler, grammar; /* handles; 0: none */
	uint64_t ticket;                     /* of gen */
	enum ending ending;
	struct text text;
	uint64_t tokens;              /* chosen */
	double logprob;               /* of all of them together */
	uint64_t accepted, proposed;  /* drafted tokens */
	uint32_t drafts;              /* to be drafted next */
	struct buffer kept_text;      /* with best_of, until it is known which are given out */
	struct buffer kept_events;    /* the same: lines, each without what comes before the index */
};

struct answer {
	struct request request;
	struct string args;
	uint32_t model, adapter;
	struct realm_model_info info;
	int32_t stop[64]; /* tokens that end a text */
	uint32_t stop_count;
	int32_t *prompt;
	uint64_t prompt_count;
	uint64_t loaded; /* tokens that were there before the prompt */
	bool started;    /* the prompt was read */
	bool counted;    /* cached is known */
	uint64_t cached; /* tokens of the prompt that were there */
	struct choice *choices;
	uint32_t count;
	const char *call;      /* that failed */
	struct buffer out;          /* used again for every piece of text, and every event */
	struct buffer piece, other; /* the bytes of a token, and of one that might have been */
};

/* Calls f and returns its errno from the function at hand, unless it is OK. */
#define TRY(a, name, expression) \
	do { \
		int32_t errno_ = (expression); \
		if (errno_ != REALM_OK) { \
			(a)->call = (name); \
			return errno_; \
		} \
	} while (0)

/* answer.c: begins the answer, writes it and tells its usage. */
int32_t answer_run(struct answer *a);

/* generate.c and speculate.c: write the texts of all choices to their ends. */
int32_t generate(struct answer *a);
int32_t speculate(struct answer *a);

/* emit.c */
int32_t emit_start(struct answer *a);
/* Takes note of how much of the prompt was there, once the call that read it has ended. */
int32_t count_cached(struct answer *a);
/* Takes a token of a choice; count candidates come with it, best first. */
int32_t emit_token(struct answer *a, struct choice *c, int32_t token, float logprob, const struct realm_candidate *top, uint32_t count);
/* Takes the end of a choice. */
int32_t emit_end(struct answer *a, struct choice *c, enum ending ending);
int32_t emit_kept(struct answer *a);
int32_t emit_usage(struct answer *a);
void emit_error(struct answer *a, int32_t error, const char *message, struct string detail);

/* Fills in the parts of a row that all steps of a choice have in common. */
struct realm_row row_of(const struct answer *a, const struct choice *c);

#endif
