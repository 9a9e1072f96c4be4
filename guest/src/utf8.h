/* UTF-8 (RFC 3629). */
#ifndef UTF8_H
#define UTF8_H

#include "memory.h"

/* Writes a character and returns its bytes, at most 4. */
size_t utf8_encode(char *to, uint32_t c);

/* Returns the bytes of the character that a text of n bytes, at least 1, begins with.
 * 0: it is cut off, and may go on. Negative: so many bytes are no character. */
int utf8_next(const char *s, size_t n);

/* Returns how many bytes at the end of a text may be the beginning of a character. */
size_t utf8_open(const char *s, size_t n);

#endif
