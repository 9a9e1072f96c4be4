/* realm.h: the guest interface of Realm, version 1.0.
 *
 * Generated from hostfn/abi: go run ./hostfn/abi/generate
 *
 * A guest is a WebAssembly module, of 64-bit or of 32-bit memory, that exports
 * "memory", realm_run and realm_abi. The host calls realm_run once: it reads its
 * request with realm_args, works, sends its answer with realm_emit and returns 0.
 *
 * Every function returns an errno, REALM_OK being 0. Pointers and lengths cross
 * the interface as 64 bits, handles as 32. Structs begin with their size, which
 * whoever writes them fills in. Functions that may hold up the guest say "blocks".
 *
 * Build: clang --target=wasm64 -O2 -ffreestanding -nostdlib -Wl,--no-entry ...
 */
#ifndef REALM_H
#define REALM_H

#include <stdint.h>

#define REALM_ABI_MAJOR 1
#define REALM_ABI_MINOR 0
#define REALM_ABI (REALM_ABI_MAJOR << 16 | REALM_ABI_MINOR)

/* A pointer as it stands in structs. */
#define REALM_PTR(p) ((uint64_t)(uintptr_t)(p))

/* A time that is never reached. */
#define REALM_FOREVER UINT64_MAX

#ifdef __wasm__
#define REALM_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define REALM_EXPORT(name) __attribute__((export_name(name)))
/* Capabilities that the guest needs, once in a program: REALM_CAPABILITIES("TOPK GRAMMAR") */
#define REALM_CAPABILITIES(names) __asm__(".section .custom_section.realm.caps,\"\",@\n.ascii \"" names "\"\n")
#else
#define REALM_IMPORT(module, name)
#define REALM_EXPORT(name)
#define REALM_CAPABILITIES(names) struct realm_capabilities
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the guest exports. */
REALM_EXPORT("realm_run") int32_t realm_run(void);
REALM_EXPORT("realm_abi") uint32_t realm_abi(void);

/* Errnos. */
#define REALM_OK         0 /* success */
#define REALM_INVAL      1 /* an argument is outside its limits */
#define REALM_BADF       2 /* the handle or ticket is none of this guest's, or is of another kind */
#define REALM_FAULT      3 /* a range is not inside the guest's memory */
#define REALM_NOSYS      4 /* this host has no such function or option */
#define REALM_PERM       5 /* the guest lacks the capability, or its tenant the right */
#define REALM_AGAIN      6 /* not ready yet: try later */
#define REALM_NOENT      7 /* there is nothing of that name, or nothing more to come */
#define REALM_TOOBIG     8 /* the buffer is too small; the length that is needed was stored */
#define REALM_NOMEM      9 /* no cache pages, or no device memory, are left */
#define REALM_QUOTA     10 /* a limit of the tenant or of the instance is reached */
#define REALM_OVERFLOW  11 /* the context of the model is full */
#define REALM_TIMEDOUT  12 /* the time is over */
#define REALM_CANCELED  13 /* the request, or the ticket, was cancelled */
#define REALM_EVICTED   14 /* what was saved is gone */
#define REALM_GRAMMAR   15 /* the grammar does not allow it, or the text is no grammar */
#define REALM_IO        16 /* the device, or the other side, failed */
#define REALM_BUSY      17 /* the sequence is in a step already */

/* Capabilities, as named in the custom section realm.caps. */
#define REALM_CAP_TOPK 1 /* candidates of a row */
#define REALM_CAP_LOGITS 2 /* whole rows of logits */
#define REALM_CAP_HIDDEN 4 /* hidden states: embeddings */
#define REALM_CAP_ADAPTER 8 /* adapter_open */
#define REALM_CAP_DRAFT 16 /* draft */
#define REALM_CAP_GRAMMAR 32 /* grammar_new */
#define REALM_CAP_KV_SAVE 64 /* seq_save and seq_load */
#define REALM_CAP_TENSOR 128 /* module realm1_tensor */

/* Features of a host, in struct realm_abi_info. */
#define REALM_FEATURE_SPECULATION 1 /* draft, and rows that verify */
#define REALM_FEATURE_GRAMMAR 2 /* grammars */
#define REALM_FEATURE_ADAPTER 4 /* LoRA adapters */
#define REALM_FEATURE_KV_SAVE 8 /* saved sequences */
#define REALM_FEATURE_TENSOR 16 /* single kernels */

/* Flags of a row. */
#define REALM_ROW_VERIFY 1 /* the last `drafts` tokens are proposals to be checked */
#define REALM_ROW_TOPK 2 /* top_k candidates come with each token; needs CAP_TOPK */
#define REALM_ROW_LOGPROBS 4 /* log-probabilities come with each token */
#define REALM_ROW_HIDDEN 8 /* the hidden state after the last token comes; needs CAP_HIDDEN */
#define REALM_ROW_NO_SAMPLE 16 /* tokens are read and none is chosen */
#define REALM_ROW_LOGITS 32 /* the row of logits is kept for logits(); needs CAP_LOGITS */

/* Flags of seq_open. */
#define REALM_SEQ_NO_PREFIX 1 /* nothing is taken from, or left to, the index of known prefixes */

/* Flags of tokenize. */
#define REALM_TOKENIZE_SPECIAL 1 /* text such as <|im_end|> is the token: not for text that is not trusted */
#define REALM_TOKENIZE_BOS 2 /* a BOS goes first, where the vocabulary wants one */

/* Flags of a model. */
#define REALM_MODEL_CHAT 1 /* it has a chat template */
#define REALM_MODEL_ENCODER 2 /* it makes embeddings and no text */
#define REALM_MODEL_DRAFT 4 /* there is a draft model for it */
#define REALM_MODEL_BOS 8 /* texts begin with a BOS */

/* Modes of draft. */
#define REALM_DRAFT_LOOKUP 0 /* prompt lookup: what followed the same tokens before */
#define REALM_DRAFT_MODEL 1 /* the small model that belongs to the sequence's model */

/* Kinds of grammars. */
#define REALM_GRAMMAR_SCHEMA 0 /* a JSON schema */
#define REALM_GRAMMAR_REGEX 1 /* a regular expression, RE2 syntax, that the whole text matches */
#define REALM_GRAMMAR_EBNF 2 /* EBNF as llama.cpp writes it */

/* Channels of emit. */
#define REALM_CHANNEL_TEXT 0 /* to 0xffff: the text of that choice, any number of bytes */
#define REALM_CHANNEL_EVENT 65536 /* one JSON object a call */

/* Levels of log. */
#define REALM_LOG_DEBUG 0
#define REALM_LOG_INFO 1
#define REALM_LOG_WARN 2
#define REALM_LOG_ERROR 3

/* Kinds of events of gen. */
#define REALM_EVENT_TOKEN 0 /* a token was chosen */
#define REALM_EVENT_END 1 /* the row has ended; no more events of it */

/* Elements of a buffer. */
#define REALM_DTYPE_F32 0
#define REALM_DTYPE_I32 1

/* Operations of ops. */
#define REALM_OP_EMBED 1 /* out[i] = scale * weight[ids[i]] */
#define REALM_OP_MATMUL 2 /* out = x · weightᵀ + bias; bias may be 0 */
#define REALM_OP_RMS_NORM 3 /* out = x / sqrt(mean(x²) + epsilon) * weight */
#define REALM_OP_ROPE 4 /* queries x and keys y are rotated in place by their positions; keys and values z are stored for attention at layer */
#define REALM_OP_ATTENTION 5 /* out = softmax(scale * x · keysᵀ) · values, over what the sequence has at layer up to each row's position */
#define REALM_OP_SOFTMAX 6 /* out = softmax(scale * x) */
#define REALM_OP_GLU 7 /* out = activation(x) * y; without y it is the activation alone */
#define REALM_OP_ADD 8 /* out = x + y */
#define REALM_OP_GATHER 9 /* out[i] = x[ids[i]] */
#define REALM_OP_TOP_K 10 /* the k largest of every row of x, best first, to result */
#define REALM_OP_SAMPLE 11 /* the token that sampler chooses from every row of x, to result */

/* Reasons why a row ended. */
#define REALM_FINISH_NONE 0 /* it has not, or it only read */
#define REALM_FINISH_STOP 1 /* a stop token */
#define REALM_FINISH_LENGTH 2 /* max_tokens */
#define REALM_FINISH_CONTEXT 3 /* the context is full */

/* A token with a log-probability, a logit or a bias. */
struct realm_candidate {
	int32_t token;
	float value;
};

/* What abi_info tells. */
struct realm_abi_info {
	uint32_t size; /* bytes that were written */
	uint32_t major;
	uint32_t minor;
	uint32_t capabilities; /* REALM_CAP_* that this instance has */
	uint64_t features; /* REALM_FEATURE_* */
	uint64_t max_memory; /* bytes of linear memory */
	uint32_t max_handles;
	uint32_t max_tickets;
	uint32_t max_rows; /* of a step */
	uint32_t page_tokens; /* tokens of a cache page */
};
_Static_assert(sizeof(struct realm_abi_info) == 48, "layout");

/* What is left to an instance. All ones: no limit. */
struct realm_budget {
	uint32_t size; /* sizeof, by the guest */
	uint32_t reserved;
	uint64_t us; /* microseconds of wall time */
	uint64_t fuel; /* units of fuel: about one for each function entry and loop turn */
	uint64_t tokens; /* tokens that may still be read and chosen */
	uint64_t pages; /* cache pages that may still be taken */
	uint64_t bytes; /* bytes that may still be emitted */
};
_Static_assert(sizeof(struct realm_budget) == 48, "layout");

/* The shape of a model. Lengths are in elements. */
struct realm_model_info {
	uint32_t size; /* bytes that were written */
	uint32_t flags; /* REALM_MODEL_* */
	uint32_t vocabulary; /* tokens, and logits of a row */
	uint32_t context; /* the most tokens of a sequence */
	uint32_t embedding; /* of the residual stream, and of hidden states */
	uint32_t blocks;
	uint32_t head_count;
	uint32_t head_count_kv;
	uint32_t head_dim;
	uint32_t feed_forward;
	uint32_t rope_dimensions; /* elements of a head that are rotated */
	uint32_t rope_mode; /* 0: pairs (2i, 2i+1); 1: pairs (i, i + rope_dimensions/2) */
	float epsilon; /* of norms */
	float attention_scale;
	int32_t bos; /* -1: none */
	int32_t eos; /* -1: none */
	uint32_t stop_count; /* tokens that end a text */
	int32_t stop[15];
	uint32_t architecture[8]; /* 32 bytes of text, ended by a NUL */
	uint32_t name[32]; /* 128 bytes of text, ended by a NUL */
};
_Static_assert(sizeof(struct realm_model_info) == 288, "layout");

/* A sequence. */
struct realm_seq_stat {
	uint32_t size; /* sizeof, by the guest, in the first of an array */
	int32_t error; /* BADF for a handle that is none */
	uint64_t length; /* tokens */
	uint64_t read; /* of those, the ones whose keys and values are there */
	uint64_t cached; /* of those, the ones that the index of prefixes had */
	uint32_t busy; /* 1 in a step */
};
_Static_assert(sizeof(struct realm_seq_stat) == 40, "layout");

/* What a sequence does in a step. Handles may be 0: a greedy choice, no grammar, the plain model. */
struct realm_row {
	uint32_t size; /* sizeof, by the guest; the same in all rows of an array */
	uint32_t sequence;
	uint64_t tokens; /* const int32_t *: tokens to be read, behind those that the sequence has */
	uint64_t n; /* tokens; 0 where a token is to be chosen after what is there */
	uint32_t sampler;
	uint32_t grammar; /* it says what may be chosen, and takes what was */
	uint32_t adapter; /* a sequence goes by that of its first row until it is empty again: another one is INVAL; 0: none */
	uint32_t flags; /* REALM_ROW_* */
	uint64_t mask; /* const uint32_t *: a bit for each token that may be chosen, as grammar_mask writes them; 0: all */
	uint64_t max_tokens; /* for gen: the most tokens to choose; 0: as many as the context takes */
	uint64_t stop; /* const int32_t *: for gen: tokens that end the row; they are told */
	uint32_t stop_count; /* at most 64 */
	uint32_t drafts; /* with ROW_VERIFY: how many of the last tokens are proposals, at most 16 */
	uint32_t top_k; /* with ROW_TOPK: candidates of each token, 1 to 64 */
	uint32_t reserved;
	uint64_t out; /* void *: for step: where the struct realm_result goes */
	uint64_t cap; /* bytes at out */
};
_Static_assert(sizeof(struct realm_row) == 96, "layout");

/* What became of a row of a step. Its arrays lie behind it, at byte offsets from its start. */
struct realm_result {
	uint32_t size; /* of this struct, without the arrays */
	int32_t error; /* errno of the row; TOOBIG: length says what is needed */
	uint64_t length; /* bytes of the struct and its arrays */
	uint32_t count; /* tokens that were chosen; proposals that were accepted are among them */
	uint32_t accepted; /* proposals that were accepted */
	uint32_t finish; /* REALM_FINISH_* */
	uint32_t top_k; /* candidates of each token */
	uint32_t tokens; /* offset of int32_t[count]; 0: none */
	uint32_t logprobs; /* offset of float[count]; 0: none */
	uint32_t candidates; /* offset of struct realm_candidate[count][top_k], or [1][top_k] where none was chosen; 0: none */
	uint32_t hidden; /* offset of float[embedding]; 0: none */
};
_Static_assert(sizeof(struct realm_result) == 48, "layout");

/* What gen tells of a row. candidates lie behind it. */
struct realm_event {
	uint32_t size; /* bytes of the struct and its candidates */
	uint32_t row; /* index of the row */
	uint32_t kind; /* REALM_EVENT_* */
	int32_t token; /* that was chosen */
	float logprob; /* of the token, with ROW_LOGPROBS */
	uint32_t top_k; /* candidates behind the struct */
	int32_t error; /* of EVENT_END: errno of the row */
	uint32_t finish; /* of EVENT_END: REALM_FINISH_* */
};
_Static_assert(sizeof(struct realm_event) == 32, "layout");

/* What was proposed for a sequence. */
struct realm_draft {
	uint32_t size; /* sizeof, by the guest, in the first of an array */
	int32_t error;
	uint32_t count;
	uint32_t reserved;
	int32_t tokens[16];
};
_Static_assert(sizeof(struct realm_draft) == 80, "layout");

/* How tokens are chosen. 0 is off in every field; all zeros is greedy. */
struct realm_sampler {
	uint32_t size; /* sizeof, by the guest */
	float temperature; /* 0 to 100 */
	uint32_t top_k;
	float top_p; /* 0 to 1 */
	float min_p; /* 0 to 1 */
	float typical_p; /* 0 to 1 */
	float repetition_penalty; /* 0.1 to 10 */
	float frequency_penalty; /* -2 to 2 */
	float presence_penalty; /* -2 to 2 */
	uint32_t penalty_window; /* the last tokens that penalties count; 0: all */
	uint64_t seed;
	uint64_t bias; /* const struct realm_candidate *: numbers that are added to the logits of tokens; -INFINITY forbids */
	uint64_t bias_count; /* at most 1024 */
	uint64_t accepted; /* const int32_t *: tokens that the penalties count from the start, such as the prompt */
	uint64_t accepted_count;
};
_Static_assert(sizeof(struct realm_sampler) == 80, "layout");

/* An operation. Buffers are rows of width elements, stride elements apart (0: width), from an offset in elements on; offsets, strides and widths are multiples of 4. */
struct realm_op {
	uint32_t size; /* sizeof, by the guest; the same in all of an array */
	uint32_t op; /* REALM_OP_* */
	uint32_t rows; /* of out */
	uint32_t width; /* elements of a row of out, or of x where there is no out */
	uint32_t out;
	uint32_t out_offset;
	uint32_t out_stride;
	uint32_t x;
	uint32_t x_offset;
	uint32_t x_stride;
	uint32_t y;
	uint32_t y_offset;
	uint32_t y_stride;
	uint32_t z;
	uint32_t z_offset;
	uint32_t z_stride;
	uint32_t weight;
	uint32_t bias;
	uint32_t sequence; /* rope, attention: whose cache */
	uint32_t position; /* rope, attention: of the first row; the rows are one token each */
	uint32_t layer;
	uint32_t window; /* attention: the last positions that are seen; 0: all */
	uint32_t groups; /* rms_norm: of a row, each normalised by itself; 0: 1 */
	uint32_t activation; /* glu: 0 SiLU, 1 GELU by tanh, 2 GELU by erf */
	uint32_t k; /* top_k: 1 to 64 */
	uint32_t sampler; /* sample: 0 is greedy */
	float scale; /* embed, attention, softmax; 0: 1 */
	float epsilon;
	float soft_cap; /* attention; 0: none */
	uint32_t reserved;
	uint64_t ids; /* const int32_t *: embed: tokens; gather: rows of x; [rows] */
	uint64_t result; /* void *: top_k: struct realm_candidate[rows][k], best first; sample: int32_t[rows] */
	uint64_t cap; /* bytes at result */
};
_Static_assert(sizeof(struct realm_op) == 144, "layout");

/* ---- core: The request, its budget, and waiting. */

/* Tells the version and the features of the host, and the limits of this instance. It
 * writes at most cap bytes.
 *
 * errnos: INVAL FAULT.
 *
 *     struct realm_abi_info info;
 *     if (realm_abi_info(&info, sizeof info) == REALM_OK && info.minor >= 1) { // newer functions }
 */
REALM_IMPORT("realm1", "abi_info") int32_t realm_import_abi_info(uint64_t out, uint64_t cap);
static inline int32_t realm_abi_info(struct realm_abi_info *out, uint64_t cap) { return realm_import_abi_info(REALM_PTR(out), cap); }

/* Copies the request, a JSON object, and stores its length in bytes in n. With too little
 * room it copies nothing.
 *
 * errnos: FAULT TOOBIG.
 *
 *     uint64_t n = 0;
 *     realm_args(0, 0, &n);
 *     char *request = malloc(n);
 *     realm_args(request, n, &n);
 */
REALM_IMPORT("realm1", "args") int32_t realm_import_args(uint64_t buf, uint64_t cap, uint64_t n);
static inline int32_t realm_args(void *buf, uint64_t cap, uint64_t *n) { return realm_import_args(REALM_PTR(buf), cap, REALM_PTR(n)); }

/* Sends bytes to whoever made the request, and waits while that one is slow. Text
 * channels take any bytes and are joined; the event channel takes one JSON object a call.
 *
 * blocks; errnos: INVAL FAULT QUOTA CANCELED IO.
 *
 *     realm_emit(REALM_CHANNEL_TEXT, "Paris", 5);
 */
REALM_IMPORT("realm1", "emit") int32_t realm_import_emit(uint32_t channel, uint64_t p, uint64_t n);
static inline int32_t realm_emit(uint32_t channel, const void *p, uint64_t n) { return realm_import_emit(channel, REALM_PTR(p), n); }

/* Takes the next message that came after the request, waiting for it for us microseconds
 * at most, and stores its length in bytes in n. A message that does not fit stays. NOENT
 * says that none will come any more.
 *
 * blocks; errnos: FAULT TOOBIG TIMEDOUT NOENT CANCELED.
 *
 *     char message[4096];
 *     uint64_t n;
 *     while (realm_recv(message, sizeof message, &n, REALM_FOREVER) == REALM_OK) { // ... }
 */
REALM_IMPORT("realm1", "recv") int32_t realm_import_recv(uint64_t buf, uint64_t cap, uint64_t n, uint64_t us);
static inline int32_t realm_recv(void *buf, uint64_t cap, uint64_t *n, uint64_t us) { return realm_import_recv(REALM_PTR(buf), cap, REALM_PTR(n), us); }

/* Tells what is left to this instance.
 *
 * errnos: INVAL FAULT.
 *
 *     struct realm_budget b = {.size = sizeof b};
 *     realm_budget(&b);
 */
REALM_IMPORT("realm1", "budget") int32_t realm_import_budget(uint64_t out);
static inline int32_t realm_budget(struct realm_budget *out) { return realm_import_budget(REALM_PTR(out)); }

/* Fills n bytes, at most 65536, with numbers from the system's generator.
 *
 * errnos: INVAL FAULT.
 *
 *     uint64_t seed;
 *     realm_random(&seed, sizeof seed);
 */
REALM_IMPORT("realm1", "random") int32_t realm_import_random(uint64_t p, uint64_t n);
static inline int32_t realm_random(void *p, uint64_t n) { return realm_import_random(REALM_PTR(p), n); }

/* Writes a line of at most 4096 bytes to the host's log. The host may drop it.
 *
 * errnos: INVAL FAULT QUOTA.
 *
 *     realm_log(REALM_LOG_INFO, "ready", 5);
 */
REALM_IMPORT("realm1", "log") int32_t realm_import_log(uint32_t level, uint64_t p, uint64_t n);
static inline int32_t realm_log(uint32_t level, const char *p, uint64_t n) { return realm_import_log(level, REALM_PTR(p), n); }

/* Ends the work of a ticket. Rows that had not ended have the error CANCELED; the ticket
 * is still to be waited for.
 *
 * errnos: BADF.
 *
 *     realm_cancel(ticket);
 */
REALM_IMPORT("realm1", "cancel") int32_t realm_import_cancel(uint64_t ticket);
static inline int32_t realm_cancel(uint64_t ticket) { return realm_import_cancel(ticket); }

/* Gives back what a handle stands for. A sequence in a step is closed when the step is
 * done. The handle is not given out again.
 *
 * errnos: BADF.
 *
 *     realm_close(sequence);
 */
REALM_IMPORT("realm1", "close") int32_t realm_import_close(uint32_t handle);
static inline int32_t realm_close(uint32_t handle) { return realm_import_close(handle); }

/* Waits for us microseconds at most until one of n tickets, at most 1024, is done, and
 * stores its index in which. The results of a step, of a draft and of ops are written
 * now, and the ticket is gone. A ticket of gen is done when it has an event to take; it
 * is gone when gen_next has given the last.
 *
 * blocks; errnos: INVAL BADF FAULT TIMEDOUT CANCELED.
 *
 *     uint64_t which;
 *     if (realm_wait(&ticket, 1, REALM_FOREVER, &which) == REALM_OK) { // result is there }
 */
REALM_IMPORT("realm1", "wait") int32_t realm_import_wait(uint64_t tickets, uint64_t n, uint64_t us, uint64_t which);
static inline int32_t realm_wait(const uint64_t *tickets, uint64_t n, uint64_t us, uint64_t *which) { return realm_import_wait(REALM_PTR(tickets), n, us, REALM_PTR(which)); }

/* ---- model: Models, and text as tokens. */

/* Opens a model that the tenant may use, by name; the empty name is the request's own. It
 * has to be loaded already, or AGAIN is returned until it is.
 *
 * errnos: FAULT INVAL NOENT PERM AGAIN QUOTA.
 *
 *     uint32_t model;
 *     realm_model_open("", 0, &model);
 */
REALM_IMPORT("realm1", "model_open") int32_t realm_import_model_open(uint64_t name, uint64_t n, uint64_t out);
static inline int32_t realm_model_open(const char *name, uint64_t n, uint32_t *out) { return realm_import_model_open(REALM_PTR(name), n, REALM_PTR(out)); }

/* Tells the shape of a model. It writes at most cap bytes.
 *
 * errnos: BADF INVAL FAULT.
 *
 *     struct realm_model_info info;
 *     realm_model_info(model, &info, sizeof info);
 */
REALM_IMPORT("realm1", "model_info") int32_t realm_import_model_info(uint32_t model, uint64_t out, uint64_t cap);
static inline int32_t realm_model_info(uint32_t model, struct realm_model_info *out, uint64_t cap) { return realm_import_model_info(model, REALM_PTR(out), cap); }

/* Cuts n bytes of UTF-8 into tokens. cap and count are in tokens. With too little room it
 * writes none.
 *
 * errnos: BADF INVAL FAULT TOOBIG.
 *
 *     int32_t ids[64];
 *     uint64_t count;
 *     realm_tokenize(model, "Oslo", 4, 0, ids, 64, &count);
 */
REALM_IMPORT("realm1", "tokenize") int32_t realm_import_tokenize(uint32_t model, uint64_t s, uint64_t n, uint32_t flags, uint64_t out, uint64_t cap, uint64_t count);
static inline int32_t realm_tokenize(uint32_t model, const char *s, uint64_t n, uint32_t flags, int32_t *out, uint64_t cap, uint64_t *count) { return realm_import_tokenize(model, REALM_PTR(s), n, flags, REALM_PTR(out), cap, REALM_PTR(count)); }

/* Gives the bytes that n tokens add to a text that goes on: not always whole characters.
 * Control tokens add none, unless the request asked for them. cap and count are in bytes.
 *
 * errnos: BADF INVAL FAULT TOOBIG.
 *
 *     char text[256];
 *     uint64_t count;
 *     realm_detokenize(model, &token, 1, text, sizeof text, &count);
 */
REALM_IMPORT("realm1", "detokenize") int32_t realm_import_detokenize(uint32_t model, uint64_t tokens, uint64_t n, uint64_t out, uint64_t cap, uint64_t count);
static inline int32_t realm_detokenize(uint32_t model, const int32_t *tokens, uint64_t n, char *out, uint64_t cap, uint64_t *count) { return realm_import_detokenize(model, REALM_PTR(tokens), n, REALM_PTR(out), cap, REALM_PTR(count)); }

/* Puts a conversation into the model's chat template, up to where the model answers:
 * {"messages": [{"role": "user", "content": "Hi"}], "tools": [...]} with OpenAI's
 * members. cap and count are in tokens. NOENT: the model has no template.
 *
 * errnos: BADF INVAL FAULT TOOBIG NOENT.
 *
 *     realm_chat_encode(model, request, n, ids, 512, &count);
 */
REALM_IMPORT("realm1", "chat_encode") int32_t realm_import_chat_encode(uint32_t model, uint64_t json, uint64_t n, uint64_t out, uint64_t cap, uint64_t count);
static inline int32_t realm_chat_encode(uint32_t model, const char *json, uint64_t n, int32_t *out, uint64_t cap, uint64_t *count) { return realm_import_chat_encode(model, REALM_PTR(json), n, REALM_PTR(out), cap, REALM_PTR(count)); }

/* ---- sequence: Sequences of tokens, their forks and what they keep. */

/* Makes an empty sequence.
 *
 * errnos: BADF INVAL FAULT QUOTA.
 *
 *     uint32_t sequence;
 *     realm_seq_open(model, 0, &sequence);
 */
REALM_IMPORT("realm1", "seq_open") int32_t realm_import_seq_open(uint32_t model, uint32_t flags, uint64_t out);
static inline int32_t realm_seq_open(uint32_t model, uint32_t flags, uint32_t *out) { return realm_import_seq_open(model, flags, REALM_PTR(out)); }

/* Makes n sequences, at most 256, of the same tokens. Pages are shared until one of them
 * writes. All are made or none.
 *
 * errnos: BADF INVAL FAULT QUOTA BUSY.
 *
 *     uint32_t forks[4];
 *     realm_seq_fork(sequence, 4, forks);
 */
REALM_IMPORT("realm1", "seq_fork") int32_t realm_import_seq_fork(uint32_t sequence, uint64_t n, uint64_t outs);
static inline int32_t realm_seq_fork(uint32_t sequence, uint64_t n, uint32_t *outs) { return realm_import_seq_fork(sequence, n, REALM_PTR(outs)); }

/* Drops the tokens from index len on.
 *
 * errnos: BADF INVAL BUSY.
 *
 *     realm_seq_truncate(sequence, prompt_tokens);
 */
REALM_IMPORT("realm1", "seq_truncate") int32_t realm_import_seq_truncate(uint32_t sequence, uint64_t len);
static inline int32_t realm_seq_truncate(uint32_t sequence, uint64_t len) { return realm_import_seq_truncate(sequence, len); }

/* Keeps a fork of a sequence under a key of 1 to 256 bytes for ttl seconds, for this
 * tenant only and beyond this request. It may be evicted before that. An older one of
 * that key is replaced.
 *
 * blocks; errnos: BADF INVAL FAULT PERM QUOTA BUSY.
 *
 *     realm_seq_save(sequence, "conversation-7", 14, 600);
 */
REALM_IMPORT("realm1", "seq_save") int32_t realm_import_seq_save(uint32_t sequence, uint64_t key, uint64_t n, uint64_t ttl);
static inline int32_t realm_seq_save(uint32_t sequence, const char *key, uint64_t n, uint64_t ttl) { return realm_import_seq_save(sequence, REALM_PTR(key), n, ttl); }

/* Makes a fork of what seq_save kept. NOENT: nothing was kept under that key; EVICTED: it
 * is gone.
 *
 * blocks; errnos: BADF INVAL FAULT PERM NOENT EVICTED QUOTA.
 *
 *     if (realm_seq_load(model, "conversation-7", 14, &sequence) != REALM_OK)
 *     	realm_seq_open(model, 0, &sequence);
 */
REALM_IMPORT("realm1", "seq_load") int32_t realm_import_seq_load(uint32_t model, uint64_t key, uint64_t n, uint64_t out);
static inline int32_t realm_seq_load(uint32_t model, const char *key, uint64_t n, uint32_t *out) { return realm_import_seq_load(model, REALM_PTR(key), n, REALM_PTR(out)); }

/* Tells the lengths of n sequences, at most 1024, in an array of structs of the size that
 * the first one says. A handle that is none has the error BADF in its struct.
 *
 * errnos: INVAL FAULT.
 *
 *     struct realm_seq_stat stat = {.size = sizeof stat};
 *     realm_seq_stat(&sequence, 1, &stat);
 */
REALM_IMPORT("realm1", "seq_stat") int32_t realm_import_seq_stat(uint64_t sequences, uint64_t n, uint64_t out);
static inline int32_t realm_seq_stat(const uint32_t *sequences, uint64_t n, struct realm_seq_stat *out) { return realm_import_seq_stat(REALM_PTR(sequences), n, REALM_PTR(out)); }

/* ---- execution: Steps of a model, and whole texts. */

/* Reads the tokens of n rows, at most 1024, each of another sequence, and chooses a token
 * after each, in one batch as far as they fit. wait writes a struct realm_result to each
 * row's out.
 *
 * errnos: INVAL BADF FAULT PERM QUOTA.
 *
 *     struct realm_row row = {.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(ids), .n = count, .out = REALM_PTR(out), .cap = sizeof out};
 *     uint64_t ticket, which;
 *     realm_step(&row, 1, &ticket);
 *     realm_wait(&ticket, 1, REALM_FOREVER, &which);
 */
REALM_IMPORT("realm1", "step") int32_t realm_import_step(uint64_t rows, uint64_t n, uint64_t ticket);
static inline int32_t realm_step(const struct realm_row *rows, uint64_t n, uint64_t *ticket) { return realm_import_step(REALM_PTR(rows), n, REALM_PTR(ticket)); }

/* Reads the tokens of n rows, at most 1024, and writes on, a token after the other, until
 * a stop token, max_tokens or the end of the context: the engine runs the loop, and
 * gen_next tells of each token. Rows with drafts and ROW_VERIFY are for step.
 *
 * errnos: INVAL BADF FAULT PERM QUOTA.
 *
 *     struct realm_row row = {.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(ids), .n = count, .max_tokens = 100};
 *     realm_gen(&row, 1, &ticket);
 */
REALM_IMPORT("realm1", "gen") int32_t realm_import_gen(uint64_t rows, uint64_t n, uint64_t ticket);
static inline int32_t realm_gen(const struct realm_row *rows, uint64_t n, uint64_t *ticket) { return realm_import_gen(REALM_PTR(rows), n, REALM_PTR(ticket)); }

/* Waits for events of gen and writes as many as are there and fit, one behind the other:
 * each is as long as its size says, candidates among it. cap is in bytes, count in
 * events. After the EVENT_END of every row it returns NOENT, and the ticket is gone.
 *
 * blocks; errnos: BADF INVAL FAULT TOOBIG NOENT.
 *
 *     struct realm_event events[8];
 *     while (realm_gen_next(ticket, events, sizeof events, &count) == REALM_OK)
 *     	for (uint64_t i = 0; i < count; i++) { // events[i].token }
 */
REALM_IMPORT("realm1", "gen_next") int32_t realm_import_gen_next(uint64_t ticket, uint64_t events, uint64_t cap, uint64_t count);
static inline int32_t realm_gen_next(uint64_t ticket, struct realm_event *events, uint64_t cap, uint64_t *count) { return realm_import_gen_next(ticket, REALM_PTR(events), cap, REALM_PTR(count)); }

/* Copies the logits [vocabulary] that token pos of a row's result was chosen from (pos 0
 * for a row that only read), of a step with ROW_LOGITS that was waited for last. cap is
 * in bytes.
 *
 * blocks; needs CAP_LOGITS; errnos: BADF INVAL FAULT PERM TOOBIG NOENT.
 *
 *     realm_logits(ticket, 0, 0, logits, 4 * info.vocabulary);
 */
REALM_IMPORT("realm1", "logits") int32_t realm_import_logits(uint64_t ticket, uint32_t row, uint32_t pos, uint64_t buf, uint64_t cap);
static inline int32_t realm_logits(uint64_t ticket, uint32_t row, uint32_t pos, float *buf, uint64_t cap) { return realm_import_logits(ticket, row, pos, REALM_PTR(buf), cap); }

/* Proposes up to k tokens, at most 16, that may follow each of n sequences, at most 64;
 * the tokens of a sequence that were chosen and not yet read count as its own. wait
 * writes an array of structs. Proposals go into a row with ROW_VERIFY, behind the last
 * token that was chosen.
 *
 * needs CAP_DRAFT; errnos: INVAL BADF FAULT PERM NOENT QUOTA.
 *
 *     struct realm_draft draft = {.size = sizeof draft};
 *     realm_draft(&sequence, 1, 8, REALM_DRAFT_LOOKUP, &draft, &ticket);
 */
REALM_IMPORT("realm1", "draft") int32_t realm_import_draft(uint64_t sequences, uint64_t n, uint32_t k, uint32_t mode, uint64_t out, uint64_t ticket);
static inline int32_t realm_draft(const uint32_t *sequences, uint64_t n, uint32_t k, uint32_t mode, struct realm_draft *out, uint64_t *ticket) { return realm_import_draft(REALM_PTR(sequences), n, k, mode, REALM_PTR(out), REALM_PTR(ticket)); }

/* ---- policy: What tokens may be chosen, and how. */

/* Makes a sampler, which remembers the tokens that its penalties count. It is for one
 * sequence at a time. n is the bytes of spec.
 *
 * errnos: BADF INVAL FAULT QUOTA.
 *
 *     struct realm_sampler spec = {.size = sizeof spec, .temperature = 0.8f, .top_p = 0.95f, .seed = 7};
 *     realm_sampler_new(model, &spec, sizeof spec, &sampler);
 */
REALM_IMPORT("realm1", "sampler_new") int32_t realm_import_sampler_new(uint32_t model, uint64_t spec, uint64_t n, uint64_t out);
static inline int32_t realm_sampler_new(uint32_t model, const struct realm_sampler *spec, uint64_t n, uint32_t *out) { return realm_import_sampler_new(model, REALM_PTR(spec), n, REALM_PTR(out)); }

/* Makes a grammar over the vocabulary of a model, at its beginning. What is wrong with
 * the text is in the log.
 *
 * blocks; needs CAP_GRAMMAR; errnos: BADF INVAL FAULT PERM GRAMMAR QUOTA CANCELED.
 *
 *     realm_grammar_new(model, REALM_GRAMMAR_REGEX, "[0-9]+", 6, &grammar);
 */
REALM_IMPORT("realm1", "grammar_new") int32_t realm_import_grammar_new(uint32_t model, uint32_t kind, uint64_t s, uint64_t n, uint64_t out);
static inline int32_t realm_grammar_new(uint32_t model, uint32_t kind, const char *s, uint64_t n, uint32_t *out) { return realm_import_grammar_new(model, kind, REALM_PTR(s), n, REALM_PTR(out)); }

/* Makes a grammar that is where this one is.
 *
 * needs CAP_GRAMMAR; errnos: BADF FAULT PERM QUOTA BUSY.
 *
 *     realm_grammar_fork(grammar, &fork);
 */
REALM_IMPORT("realm1", "grammar_fork") int32_t realm_import_grammar_fork(uint32_t grammar, uint64_t out);
static inline int32_t realm_grammar_fork(uint32_t grammar, uint32_t *out) { return realm_import_grammar_fork(grammar, REALM_PTR(out)); }

/* Takes back the last rollback tokens, and then takes n tokens. GRAMMAR: one of them is
 * not allowed; the grammar is where it was before the call.
 *
 * needs CAP_GRAMMAR; errnos: BADF INVAL FAULT PERM GRAMMAR BUSY.
 *
 *     realm_grammar_advance(grammar, &token, 1, 0);
 */
REALM_IMPORT("realm1", "grammar_advance") int32_t realm_import_grammar_advance(uint32_t grammar, uint64_t tokens, uint64_t n, uint64_t rollback);
static inline int32_t realm_grammar_advance(uint32_t grammar, const int32_t *tokens, uint64_t n, uint64_t rollback) { return realm_import_grammar_advance(grammar, REALM_PTR(tokens), n, rollback); }

/* Writes a bit for each token of the vocabulary, 1 where it may come next: token t is bit
 * t%32 of word t/32. cap is in bytes.
 *
 * needs CAP_GRAMMAR; errnos: BADF FAULT PERM TOOBIG BUSY.
 *
 *     realm_grammar_mask(grammar, bits, sizeof bits);
 */
REALM_IMPORT("realm1", "grammar_mask") int32_t realm_import_grammar_mask(uint32_t grammar, uint64_t bits, uint64_t cap);
static inline int32_t realm_grammar_mask(uint32_t grammar, uint32_t *bits, uint64_t cap) { return realm_import_grammar_mask(grammar, REALM_PTR(bits), cap); }

/* Opens a LoRA adapter of the model that the tenant may use, by name; it is loaded if it
 * is not yet. INVAL: it is no adapter, or one of another model; NOMEM: the adapters that
 * are in use leave it no room.
 *
 * blocks; needs CAP_ADAPTER; errnos: BADF INVAL FAULT NOSYS PERM NOENT NOMEM QUOTA CANCELED IO.
 *
 *     realm_adapter_open(model, "pirate", 6, &adapter);
 */
REALM_IMPORT("realm1", "adapter_open") int32_t realm_import_adapter_open(uint32_t model, uint64_t name, uint64_t n, uint64_t out);
static inline int32_t realm_adapter_open(uint32_t model, const char *name, uint64_t n, uint32_t *out) { return realm_import_adapter_open(model, REALM_PTR(name), n, REALM_PTR(out)); }

/* ---- tensor: Single kernels of the device, over buffers and the weights of a model. */

/* Makes a buffer on the device, of zeros. Its size is a multiple of 16 bytes.
 *
 * needs CAP_TENSOR; errnos: INVAL FAULT PERM NOMEM QUOTA.
 *
 *     realm_buf_new(4 * rows * width, REALM_DTYPE_F32, &buffer);
 */
REALM_IMPORT("realm1_tensor", "buf_new") int32_t realm_import_buf_new(uint64_t bytes, uint32_t dtype, uint64_t out);
static inline int32_t realm_buf_new(uint64_t bytes, uint32_t dtype, uint32_t *out) { return realm_import_buf_new(bytes, dtype, REALM_PTR(out)); }

/* Copies n bytes into a buffer at off bytes, both multiples of 4, after the ops that were
 * given before.
 *
 * needs CAP_TENSOR; errnos: BADF INVAL FAULT PERM IO.
 *
 *     realm_buf_write(buffer, 0, values, sizeof values);
 */
REALM_IMPORT("realm1_tensor", "buf_write") int32_t realm_import_buf_write(uint32_t buffer, uint64_t off, uint64_t p, uint64_t n);
static inline int32_t realm_buf_write(uint32_t buffer, uint64_t off, const void *p, uint64_t n) { return realm_import_buf_write(buffer, off, REALM_PTR(p), n); }

/* Copies n bytes from a buffer at off bytes, both multiples of 4, after the ops that were
 * given before.
 *
 * blocks; needs CAP_TENSOR; errnos: BADF INVAL FAULT PERM IO CANCELED.
 *
 *     realm_buf_read(buffer, 0, values, sizeof values);
 */
REALM_IMPORT("realm1_tensor", "buf_read") int32_t realm_import_buf_read(uint32_t buffer, uint64_t off, uint64_t p, uint64_t n);
static inline int32_t realm_buf_read(uint32_t buffer, uint64_t off, void *p, uint64_t n) { return realm_import_buf_read(buffer, off, REALM_PTR(p), n); }

/* Opens a tensor of a model by its name in the GGUF file, such as blk.0.attn_q.weight. It
 * can be computed with and not be read.
 *
 * needs CAP_TENSOR; errnos: BADF INVAL FAULT PERM NOENT QUOTA.
 *
 *     realm_weight_open(model, "output_norm.weight", 18, &weight);
 */
REALM_IMPORT("realm1_tensor", "weight_open") int32_t realm_import_weight_open(uint32_t model, uint64_t name, uint64_t n, uint64_t out);
static inline int32_t realm_weight_open(uint32_t model, const char *name, uint64_t n, uint32_t *out) { return realm_import_weight_open(model, REALM_PTR(name), n, REALM_PTR(out)); }

/* Runs n operations, at most 4096, one after the other. Operations that come again in the
 * same shape, as in a loop over tokens, are compiled once. Results of top_k and sample
 * are written by wait.
 *
 * needs CAP_TENSOR; errnos: INVAL BADF FAULT PERM NOMEM QUOTA.
 *
 *     struct realm_op op = {.size = sizeof op, .op = REALM_OP_ADD, .out = a, .x = a, .y = b, .rows = 1, .width = 256};
 *     realm_ops(&op, 1, &ticket);
 */
REALM_IMPORT("realm1_tensor", "ops") int32_t realm_import_ops(uint64_t cmds, uint64_t n, uint64_t ticket);
static inline int32_t realm_ops(const struct realm_op *cmds, uint64_t n, uint64_t *ticket) { return realm_import_ops(REALM_PTR(cmds), n, REALM_PTR(ticket)); }

#ifdef __cplusplus
}
#endif

#endif
