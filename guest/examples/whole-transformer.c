/* A transformer in a guest: the whole forward pass of a Llama-like model, put together
 * from single kernels over the model's weights.
 *
 *     {"messages": [...], "max_tokens": 16}
 *
 * The first list of operations reads the prompt, those that follow a token each: they
 * come again in the same shape, and are compiled once. The logits behind the prompt
 * are told in an event. It shows realm1_tensor. */
#include "prompt.h"

#include <string.h>

REALM_CAPABILITIES("TENSOR");

enum { most_layers = 128, most_tokens = 256 };

struct layer {
	uint32_t attention_norm, query, key, value, attention_output;
	uint32_t feed_forward_norm, gate, up, down;
};

static struct {
	struct prompt prompt;
	struct layer layers[most_layers];
	uint32_t embedding, output_norm, output;
	uint32_t x, normed, qkv, attended, sum, gate, up, hidden, logits; /* buffers */
	uint32_t sequence;
	struct realm_op ops[16 * most_layers];
	uint64_t count;
} t;

REALM_EXPORT("realm_abi") uint32_t realm_abi(void) { return REALM_ABI; }

static int32_t weight(const char *before, uint32_t layer, const char *name, uint32_t *out)
{
	struct buffer b = {0};
	write_text(&b, before);
	if (*before) {
		write_integer(&b, layer);
		write_text(&b, ".");
	}
	write_text(&b, name);
	write_text(&b, ".weight");
	return realm_weight_open(t.prompt.model, b.data, b.length, out);
}

static int32_t open_weights(void)
{
	const struct realm_model_info *m = &t.prompt.info;
	if (m->blocks > most_layers)
		return REALM_INVAL;
	TRY(weight("", 0, "token_embd", &t.embedding));
	TRY(weight("", 0, "output_norm", &t.output_norm));
	int32_t e = weight("", 0, "output", &t.output);
	if (e == REALM_NOENT)
		t.output = t.embedding; /* they are tied */
	else if (e != REALM_OK)
		return e;
	for (uint32_t i = 0; i < m->blocks; i++) {
		struct layer *l = &t.layers[i];
		const struct {
			const char *name;
			uint32_t *out;
		} weights[] = {
			{"attn_norm", &l->attention_norm}, {"attn_q", &l->query}, {"attn_k", &l->key}, {"attn_v", &l->value},
			{"attn_output", &l->attention_output}, {"ffn_norm", &l->feed_forward_norm},
			{"ffn_gate", &l->gate}, {"ffn_up", &l->up}, {"ffn_down", &l->down},
		};
		for (size_t k = 0; k < sizeof weights / sizeof *weights; k++)
			TRY(weight("blk.", i, weights[k].name, weights[k].out));
	}
	return REALM_OK;
}

static int32_t open_buffers(uint64_t rows)
{
	const struct realm_model_info *m = &t.prompt.info;
	uint64_t heads = m->head_count * m->head_dim, kv = m->head_count_kv * m->head_dim;
	const struct {
		uint32_t *out;
		uint64_t width;
	} buffers[] = {
		{&t.x, m->embedding}, {&t.normed, m->embedding}, {&t.sum, m->embedding}, {&t.qkv, heads + 2 * kv}, {&t.attended, heads},
		{&t.gate, m->feed_forward}, {&t.up, m->feed_forward}, {&t.hidden, m->feed_forward},
	};
	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
		TRY(realm_buf_new(rows * buffers[i].width * 4, REALM_DTYPE_F32, buffers[i].out));
	return realm_buf_new((m->vocabulary + 3) / 4 * 16, REALM_DTYPE_F32, &t.logits);
}

static struct realm_op *add(uint32_t kind, uint32_t rows, uint32_t width)
{
	struct realm_op *o = &t.ops[t.count++];
	*o = (struct realm_op){.size = sizeof *o, .op = kind, .rows = rows, .width = width};
	return o;
}

static void product(uint32_t rows, uint32_t width, uint32_t out, uint32_t x, uint32_t weight)
{
	struct realm_op *o = add(REALM_OP_MATMUL, rows, width);
	o->out = out;
	o->x = x;
	o->weight = weight;
}

/* Adds what a layer before has left in sum, if there was one, to x, and norms it. */
static void norm(uint32_t rows, uint32_t weight, bool residual)
{
	struct realm_op *o = add(REALM_OP_RMS_NORM, rows, t.prompt.info.embedding);
	o->out = t.normed;
	o->x = t.x;
	o->y = residual ? t.sum : 0;
	o->weight = weight;
	o->epsilon = t.prompt.info.epsilon;
}

static void layer(uint32_t index, uint32_t rows, uint32_t position)
{
	const struct realm_model_info *m = &t.prompt.info;
	const struct layer *l = &t.layers[index];
	uint32_t heads = m->head_count * m->head_dim, kv = m->head_count_kv * m->head_dim, stride = heads + 2 * kv;
	norm(rows, l->attention_norm, index > 0);
	product(rows, heads, t.qkv, t.normed, l->query);
	t.ops[t.count - 1].out_stride = stride;
	product(rows, kv, t.qkv, t.normed, l->key);
	t.ops[t.count - 1].out_stride = stride;
	t.ops[t.count - 1].out_offset = heads;
	product(rows, kv, t.qkv, t.normed, l->value);
	t.ops[t.count - 1].out_stride = stride;
	t.ops[t.count - 1].out_offset = heads + kv;

	struct realm_op *o = add(REALM_OP_ROPE, rows, heads);
	o->x = o->y = o->z = t.qkv;
	o->y_offset = heads;
	o->z_offset = heads + kv;
	o->x_stride = o->y_stride = o->z_stride = stride;
	o->sequence = t.sequence;
	o->layer = index;
	o->position = position;

	o = add(REALM_OP_ATTENTION, rows, heads);
	o->out = t.attended;
	o->x = t.qkv;
	o->x_stride = stride;
	o->sequence = t.sequence;
	o->layer = index;
	o->position = position;
	o->scale = m->attention_scale;
	product(rows, m->embedding, t.sum, t.attended, l->attention_output);

	norm(rows, l->feed_forward_norm, true);
	product(rows, m->feed_forward, t.gate, t.normed, l->gate);
	product(rows, m->feed_forward, t.up, t.normed, l->up);
	o = add(REALM_OP_GLU, rows, m->feed_forward);
	o->out = t.hidden;
	o->x = t.gate;
	o->y = t.up;
	product(rows, m->embedding, t.sum, t.hidden, l->down);
}

/* Reads tokens and returns the most probable one that follows. */
static int32_t forward(const int32_t *tokens, uint32_t rows, uint32_t position, int32_t *best)
{
	const struct realm_model_info *m = &t.prompt.info;
	uint64_t ticket = 0, which = 0;
	t.count = 0;
	struct realm_op *o = add(REALM_OP_EMBED, rows, m->embedding);
	o->out = t.x;
	o->weight = t.embedding;
	o->ids = REALM_PTR(tokens);
	for (uint32_t i = 0; i < m->blocks; i++)
		layer(i, rows, position);
	norm(rows, t.output_norm, true);
	product(1, m->vocabulary, t.logits, t.normed, t.output);
	t.ops[t.count - 1].x_offset = (rows - 1) * m->embedding;
	o = add(REALM_OP_SAMPLE, 1, m->vocabulary);
	o->x = t.logits;
	o->result = REALM_PTR(best);
	o->cap = sizeof *best;
	TRY(realm_ops(t.ops, t.count, &ticket));
	return realm_wait(&ticket, 1, REALM_FOREVER, &which);
}

static int32_t tell_logits(void)
{
	uint32_t n = t.prompt.info.vocabulary;
	float *logits = memory_take(n * sizeof *logits);
	struct buffer event = {0};
	TRY(realm_buf_read(t.logits, 0, logits, n * sizeof *logits));
	write_text(&event, "{\"type\":\"logits\",\"data\":[");
	for (uint32_t i = 0; i < n; i++) {
		write_text(&event, i ? "," : "");
		write_number(&event, logits[i]);
	}
	write_text(&event, "]}");
	return realm_emit(REALM_CHANNEL_EVENT, event.data, event.length);
}

REALM_EXPORT("realm_run") int32_t realm_run(void)
{
	struct prompt *p = &t.prompt;
	TRY(prompt_read(p));
	double most = prompt_number(p, "max_tokens", 16);
	if (!(most >= 1 && most <= most_tokens) || p->count == 0)
		return REALM_INVAL;
	TRY(open_weights());
	TRY(open_buffers(p->count));
	TRY(realm_seq_open(p->model, 0, &t.sequence));
	int32_t token = 0;
	TRY(forward(p->tokens, (uint32_t)p->count, 0, &token));
	TRY(tell_logits());
	for (uint32_t n = 0; n < (uint32_t)most && !prompt_ends(p, token); n++) {
		TRY(prompt_emit(p, &token, 1));
		int32_t next = 0;
		TRY(forward(&token, 1, (uint32_t)p->count + n, &next));
		token = next;
	}
	return REALM_OK;
}
