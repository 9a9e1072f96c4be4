#include "utf8.h"

size_t utf8_encode(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

int utf8_next(const char *s, size_t n)
{
	unsigned char c = (unsigned char)s[0], low = 0x80, high = 0xbf;
	int more;
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return -1;
	if (c < 0xe0)
		more = 1;
	else if (c < 0xf0)
		more = 2;
	else
		more = 3;
	/* Neither longer than it has to be, nor a surrogate, nor past U+10FFFF. */
	if (c == 0xe0)
		low = 0xa0;
	if (c == 0xed)
		high = 0x9f;
	if (c == 0xf0)
		low = 0x90;
	if (c == 0xf4)
		high = 0x8f;
	for (int i = 1; i <= more; i++) {
		if ((size_t)i == n)
			return 0;
		unsigned char d = (unsigned char)s[i];
		if (d < low || d > high)
			return -i;
		low = 0x80;
		high = 0xbf;
	}
	return more + 1;
}

size_t utf8_open(const char *s, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)s[n - back];
		if (c >= 0xc0)
			return utf8_next(s + n - back, back) == 0 ? back : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}
