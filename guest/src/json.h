/* JSON (RFC 8259) is read member by member, as the reader goes, and written to a
 * buffer. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>

#include "memory.h"

/* A place in a JSON text. Once something is wrong, error says what, and nothing more
 * is read. */
struct json {
	const char *start, *at, *end;
	const char *error;
	int depth;
};

/* Begins to read a text. */
struct json json_read(const char *text, size_t length);

/* Records what is wrong, unless something was before. */
void json_fail(struct json *j, const char *error);

/* Returns the first byte of the next value, 0 where there is none: one of {["tfn-
 * and the digits. */
char json_peek(struct json *j);

/* Reads an object, a member at a time:
 *     for (bool first = true; json_member(j, &first, &name);) ...
 * Each value has to be read, or skipped. */
bool json_member(struct json *j, bool *first, struct string *name);

/* Reads an array, an element at a time, in the same way. */
bool json_element(struct json *j, bool *first);

/* Reads a string, with its escapes resolved, into memory of its own. A surrogate
 * without its other half is U+FFFD. */
struct string json_string(struct json *j);

/* Reads a number, or an integer in 0 to most. */
double json_number(struct json *j);
uint64_t json_integer(struct json *j, uint64_t most);

bool json_bool(struct json *j);

/* Reads null, and reports whether it was there. */
bool json_null(struct json *j);

/* Reads a value of any kind and returns its text. */
struct string json_skip(struct json *j);

/* Checks that nothing but white space follows. */
void json_finish(struct json *j);

/* Reads the number that is all of a text; ok is false where it is none. */
double number_parse(const char *text, size_t length, bool *ok);

/* The writers append to a buffer. */
void write_text(struct buffer *b, const char *literal);
void write_integer(struct buffer *b, int64_t v);

/* Writes the shortest of 6 to 9 digits that is v again when it is read; null where v
 * is not finite. */
void write_number(struct buffer *b, float v);

/* Writes a string with its quotes. What is no UTF-8 becomes U+FFFD. */
void write_string(struct buffer *b, const char *s, size_t n);

#endif
