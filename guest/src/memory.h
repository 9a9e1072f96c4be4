/* Memory that is taken and, but for what is marked, never given back: a guest lives
 * for one request. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Returns n bytes, aligned to 16. There is no failure: a guest that may have no more
 * memory traps, which the host reports as its limit. */
void *memory_take(size_t n);

/* Bytes that grow. Zeros are empty ones. */
struct buffer {
	char *data;
	size_t length, room;
};

/* Makes room for n more bytes and returns where they go. */
char *buffer_extend(struct buffer *b, size_t n);

/* Appends n bytes. */
void buffer_append(struct buffer *b, const void *p, size_t n);

/* Drops the first n bytes. */
void buffer_drop(struct buffer *b, size_t n);

/* A piece of text that is someone else's. */
struct string {
	const char *data;
	size_t length;
};

/* Reports whether a piece of text is that of a literal. */
int string_is(struct string s, const char *literal);

#endif
