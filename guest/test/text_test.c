#include "text.h"

#include "utf8.h"

#include "check.h"

/* Adds a text in pieces of every size, and checks what comes of it. */
static void check(const char *in, const char *want, const char *stop, const char *const *stops)
{
	struct stops s = {.count = 0};
	for (; *stops; stops++)
		s.all[s.count++] = (struct string){*stops, strlen(*stops)};
	for (size_t size = 1; size <= strlen(in) + 1; size++) {
		struct text t = {.stops = &s};
		struct buffer out = {0};
		for (size_t at = 0; at < strlen(in); at += size) {
			size_t n = strlen(in) - at < size ? strlen(in) - at : size;
			/* Of its own, so that a read past its end is seen. */
			char *piece = malloc(n);
			memcpy(piece, in + at, n);
			size_t before = out.length;
			bool goes_on = text_add(&t, piece, n, &out);
			free(piece);
			CHECK(goes_on == (t.stop == 0));
			/* What was given out are whole characters. */
			CHECK(utf8_open(out.data + before, out.length - before) == 0);
		}
		text_end(&t, &out);
		CHECK_TEXT(out, want);
		CHECK((t.stop != 0) == (stop != 0));
		if (t.stop && stop)
			CHECK_TEXT(*t.stop, stop);
	}
}

int test_text(void)
{
	failures = 0;
	check("", "", 0, (const char *[]){0});
	check("hello", "hello", 0, (const char *[]){0});
	check("hello", "he", "ll", (const char *[]){"ll", 0});
	check("hello", "hello", 0, (const char *[]){"lx", "ox", 0});
	check("aab", "", "aab", (const char *[]){"aab", 0});
	check("aaab", "a", "aab", (const char *[]){"aab", 0});
	check("ababac", "ab", "abac", (const char *[]){"abac", 0});
	check("stop\n\nUser: x", "stop", "\n\nUser:", (const char *[]){"\n\nUser:", 0});
	check("caf\xc3\xa9 \xf0\x9f\x98\x80!", "caf\xc3\xa9 \xf0\x9f\x98\x80!", 0, (const char *[]){0});
	check("caf\xc3\xa9", "caf", "\xc3\xa9", (const char *[]){"\xc3\xa9", 0});
	check("a\xffz", "a\xef\xbf\xbdz", 0, (const char *[]){0});
	check("a\xe2\x82", "a\xef\xbf\xbd", 0, (const char *[]){0});
	check("a\xe2\x82z", "a\xef\xbf\xbdz", 0, (const char *[]){0});
	check("\xe2\x82stop", "\xef\xbf\xbd", "stop", (const char *[]){"stop", 0});
	check("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 0, (const char *[]){0});
	return failures;
}
