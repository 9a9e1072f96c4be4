/* The text of an answer, as it grows: whole characters, and nothing of a stop
 * string. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>

#include "memory.h"

enum { most_stops = 16, most_stop = 256 };

/* Strings that end an answer. None is empty, or longer than most_stop. */
struct stops {
	struct string all[most_stops];
	size_t count;
};

struct text {
	const struct stops *stops;
	struct buffer held; /* may be the beginning of a stop string or of a character */
	const struct string *stop; /* that ended the text; 0: none */
};

/* Adds bytes, and appends to out what is sure by then. It returns false once the text
 * has ended with a stop string. */
bool text_add(struct text *t, const char *bytes, size_t n, struct buffer *out);

/* Appends what is left at the end of the text. What is no character is U+FFFD. */
void text_end(struct text *t, struct buffer *out);

#endif
