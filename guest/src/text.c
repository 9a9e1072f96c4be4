#include "text.h"

#include <string.h>

#include "utf8.h"

/* Appends n bytes to out, with U+FFFD for each part that is no character. */
static void settle(struct text *t, size_t n, struct buffer *out)
{
	for (size_t i = 0; i < n;) {
		int size = utf8_next(t->held.data + i, n - i);
		if (size > 0) {
			buffer_append(out, t->held.data + i, (size_t)size);
			i += (size_t)size;
			continue;
		}
		buffer_append(out, "\xef\xbf\xbd", 3);
		i += size < 0 ? (size_t)-size : n - i;
	}
	buffer_drop(&t->held, n);
}

/* Returns the first place of a string, or the length of where it is looked for. */
static size_t find(const struct buffer *in, struct string s)
{
	for (size_t i = 0; i + s.length <= in->length; i++)
		if (memcmp(in->data + i, s.data, s.length) == 0)
			return i;
	return in->length;
}

/* Returns how many bytes at the end may be the beginning of a stop string. */
static size_t beginning(const struct buffer *in, struct string s)
{
	size_t n = s.length - 1 < in->length ? s.length - 1 : in->length;
	while (n > 0 && memcmp(in->data + in->length - n, s.data, n) != 0)
		n--;
	return n;
}

bool text_add(struct text *t, const char *bytes, size_t n, struct buffer *out)
{
	if (t->stop)
		return false;
	buffer_append(&t->held, bytes, n);
	size_t first = t->held.length, keep = utf8_open(t->held.data, t->held.length);
	for (size_t i = 0; i < t->stops->count; i++) {
		size_t at = find(&t->held, t->stops->all[i]);
		if (at < first) {
			first = at;
			t->stop = &t->stops->all[i];
		}
		size_t begins = beginning(&t->held, t->stops->all[i]);
		if (begins > keep)
			keep = begins;
	}
	if (t->stop) {
		settle(t, first, out);
		t->held.length = 0;
		return false;
	}
	settle(t, t->held.length - keep, out);
	return true;
}

void text_end(struct text *t, struct buffer *out)
{
	settle(t, t->held.length, out);
}
