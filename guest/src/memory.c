#include "memory.h"

#include <string.h>

#ifdef __wasm__

extern char __heap_base;

static uintptr_t next; /* the first byte that is free */

void *memory_take(size_t n)
{
	const size_t page = 65536;
	if (next == 0)
		next = (uintptr_t)&__heap_base;
	uintptr_t at = (next + 15) & ~(uintptr_t)15;
	size_t size = __builtin_wasm_memory_size(0) * page;
	if (n > SIZE_MAX - at)
		__builtin_trap();
	if (at + n > size) {
		size_t pages = (at + n - size + page - 1) / page;
		if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1)
			__builtin_trap();
	}
	next = at + n;
	return (void *)at;
}

#else

#include <stdlib.h>

void *memory_take(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p)
		abort();
	return p;
}

#endif

char *buffer_extend(struct buffer *b, size_t n)
{
	if (n > b->room - b->length) {
		size_t room = b->room ? b->room : 64;
		while (n > room - b->length) {
			if (room > SIZE_MAX / 2)
				__builtin_trap();
			room *= 2;
		}
		char *data = memory_take(room);
		if (b->length)
			memcpy(data, b->data, b->length);
		b->data = data;
		b->room = room;
	}
	char *at = b->data + b->length;
	b->length += n;
	return at;
}

void buffer_append(struct buffer *b, const void *p, size_t n)
{
	if (n)
		memcpy(buffer_extend(b, n), p, n);
}

void buffer_drop(struct buffer *b, size_t n)
{
	b->length -= n;
	if (b->length)
		memmove(b->data, b->data + n, b->length);
}

int string_is(struct string s, const char *literal)
{
	size_t n = strlen(literal);
	return s.length == n && (n == 0 || memcmp(s.data, literal, n) == 0);
}
