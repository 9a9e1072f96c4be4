/* Work of several kinds, to see what a rewritten module costs. It imports nothing. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "json.h"
#include "text.h"

#define EXPORT(name) __attribute__((export_name(name)))

static uint32_t random_state = 1;

static uint32_t next(void) {
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

/* A product of matrices: floats, strides, three loops. */
static float a[64][64], b[64][64], c[64][64];

EXPORT("matmul") uint32_t matmul(void) {
	for (int i = 0; i < 64; i++)
		a[i][i] = b[i][63 - i] = (float)next();
	for (int i = 0; i < 64; i++)
		for (int j = 0; j < 64; j++) {
			float sum = 0;
			for (int k = 0; k < 64; k++)
				sum += a[i][k] * b[k][j];
			c[i][j] = sum;
		}
	return (uint32_t)c[3][5];
}

/* A heap of 4,096 numbers: branches and loads that depend on each other. */
static uint32_t heap[4096];

static void sift(uint32_t i, uint32_t n) {
	for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && heap[child + 1] > heap[child])
			child++;
		if (heap[i] >= heap[child])
			return;
		uint32_t t = heap[i];
		heap[i] = heap[child];
		heap[child] = t;
	}
}

EXPORT("sort") uint32_t sort(void) {
	const uint32_t n = sizeof heap / sizeof *heap;
	for (uint32_t i = 0; i < n; i++)
		heap[i] = next();
	for (uint32_t i = n / 2; i-- > 0;)
		sift(i, n);
	for (uint32_t end = n - 1; end > 0; end--) {
		uint32_t t = heap[0];
		heap[0] = heap[end];
		heap[end] = t;
		sift(0, end);
	}
	return heap[9];
}

/* A list that is walked in an order at random: pointers in memory. */
struct node {
	struct node *next;
	uint64_t value;
};
static struct node nodes[4096];

EXPORT("list") uint32_t list(void) {
	const uint32_t n = sizeof nodes / sizeof *nodes;
	if (!nodes[0].next)
		for (uint32_t i = 0; i < n; i++) {
			nodes[i].next = &nodes[(i * 1237 + 1) % n];
			nodes[i].value = i;
		}
	uint64_t sum = 0;
	struct node *at = nodes;
	for (int i = 0; i < 20000; i++, at = at->next)
		sum += at->value;
	return (uint32_t)sum;
}

/* Bytes: a text is hashed, copied and searched, as guests do. */
static char text[1 << 14], copy[1 << 14];

EXPORT("text") uint32_t text_work(void) {
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)('a' + next() % 26);
	uint32_t hash = 2166136261u, found = 0;
	for (size_t i = 0; i < sizeof text; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	for (size_t i = 0; i < sizeof text; i++)
		copy[sizeof text - 1 - i] = text[i];
	for (size_t i = 0; i + 3 < sizeof copy; i++)
		if (copy[i] == 'o' && copy[i + 1] == 's' && copy[i + 2] == 'l')
			found++;
	return hash + found;
}

/* Calls: nothing but entries and exits. */
__attribute__((noinline)) static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

EXPORT("calls") uint32_t calls(void) { return fib(22); }

/* What the default guest does itself: it reads a request, */
static const char request[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"What is the capital of France? "
	"Say it in \\u0046rench, and as short as may be.\\n\"}],\"temperature\":0.7,\"top_k\":40,\"seed\":1234567,"
	"\"stop\":[\"\\n\\n\",\"User:\"],\"logit_bias\":{\"15\":-2.5,\"99\":1e3},\"stream\":true}";

EXPORT("guest_json") uint32_t guest_json(void) {
	uint32_t n = 0;
	for (int i = 0; i < 50; i++) {
		struct json j = json_read(request, sizeof request - 1);
		struct string name;
		for (bool first = true; json_member(&j, &first, &name);)
			n += (uint32_t)(name.length + json_skip(&j).length);
	}
	return n;
}

/* and looks for stop strings in what is said, a token at a time. */
static struct stops stops = {.all = {{"\n\n", 2}, {"User:", 5}, {"the end", 7}}, .count = 3};

EXPORT("guest_text") uint32_t guest_text(void) {
	static struct text t;
	static struct buffer out;
	t.stops = &stops;
	out.length = 0;
	for (size_t i = 0; i + 5 < sizeof text / 4; i += 5) {
		text[i] = ' ';
		text_add(&t, text + i, 5, &out);
	}
	return (uint32_t)out.length;
}
