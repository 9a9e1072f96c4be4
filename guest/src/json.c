#include "json.h"

#include "utf8.h"

enum { most_depth = 256 };

struct json json_read(const char *text, size_t length)
{
	return (struct json){.start = text, .at = text, .end = text + length};
}

void json_fail(struct json *j, const char *error)
{
	if (!j->error)
		j->error = error;
}

static void space(struct json *j)
{
	while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r'))
		j->at++;
}

char json_peek(struct json *j)
{
	space(j);
	if (j->error || j->at == j->end)
		return 0;
	return *j->at;
}

/* Reads a byte that has to be there. */
static bool take(struct json *j, char c, const char *error)
{
	if (json_peek(j) != c || c == 0) {
		json_fail(j, error);
		return false;
	}
	j->at++;
	return true;
}

/* Reads what stands between the parts of an array or an object; false at its end. */
static bool next(struct json *j, bool *first, char open, char close, const char *error)
{
	if (*first) {
		*first = false;
		if (!take(j, open, error))
			return false;
		if (++j->depth > most_depth) {
			json_fail(j, "values are nested too deep");
			return false;
		}
		if (json_peek(j) != close)
			return !j->error;
	} else if (json_peek(j) != close) {
		return take(j, ',', "a comma is missing");
	}
	j->at++;
	j->depth--;
	return false;
}

bool json_member(struct json *j, bool *first, struct string *name)
{
	if (!next(j, first, '{', '}', "an object is expected"))
		return false;
	*name = json_string(j);
	return take(j, ':', "a colon is missing");
}

bool json_element(struct json *j, bool *first)
{
	return next(j, first, '[', ']', "an array is expected");
}

/* Reads four hexadecimal digits. */
static uint32_t hex(struct json *j)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) {
		char c = j->at < j->end ? *j->at++ : 0;
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (uint32_t)((c | 32) - 'a' + 10);
		else {
			json_fail(j, "an escape is malformed");
			return 0;
		}
		v = v << 4 | digit;
	}
	return v;
}

/* Reads the rest of \u. */
static uint32_t unicode(struct json *j)
{
	uint32_t v = hex(j);
	if (v < 0xd800 || v > 0xdfff)
		return v;
	if (v < 0xdc00 && j->end - j->at >= 6 && j->at[0] == '\\' && j->at[1] == 'u') {
		const char *before = j->at;
		j->at += 2;
		uint32_t low = hex(j);
		if (low >= 0xdc00 && low <= 0xdfff)
			return 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00));
		j->at = before;
	}
	return 0xfffd;
}

static void escape(struct json *j, struct buffer *b)
{
	char c = j->at < j->end ? *j->at++ : 0;
	switch (c) {
	case '"':
	case '\\':
	case '/':
		break;
	case 'b':
		c = '\b';
		break;
	case 'f':
		c = '\f';
		break;
	case 'n':
		c = '\n';
		break;
	case 'r':
		c = '\r';
		break;
	case 't':
		c = '\t';
		break;
	case 'u': {
		char encoded[4];
		buffer_append(b, encoded, utf8_encode(encoded, unicode(j)));
		return;
	}
	default:
		json_fail(j, "an escape is malformed");
		return;
	}
	buffer_append(b, &c, 1);
}

struct string json_string(struct json *j)
{
	struct buffer b = {0};
	if (!take(j, '"', "a string is expected"))
		return (struct string){"", 0};
	while (!j->error) {
		const char *from = j->at;
		while (j->at < j->end && *j->at != '"' && *j->at != '\\' && (unsigned char)*j->at >= 32)
			j->at++;
		buffer_append(&b, from, (size_t)(j->at - from));
		if (j->at == j->end) {
			json_fail(j, "a string has no end");
			break;
		}
		char c = *j->at++;
		if (c == '"')
			break;
		if (c == '\\')
			escape(j, &b);
		else
			json_fail(j, "a string has a control character");
	}
	return (struct string){b.data ? b.data : "", b.length};
}

/* Reads the text of a number. */
static struct string number(struct json *j)
{
	json_peek(j);
	const char *from = j->at;
	while (j->at < j->end && ((*j->at >= '0' && *j->at <= '9') || *j->at == '-' || *j->at == '+' || *j->at == '.' || (*j->at | 32) == 'e'))
		j->at++;
	return (struct string){from, (size_t)(j->at - from)};
}

double json_number(struct json *j)
{
	struct string s = number(j);
	bool ok;
	double v = number_parse(s.data, s.length, &ok);
	if (!ok)
		json_fail(j, "a number is expected");
	return v;
}

uint64_t json_integer(struct json *j, uint64_t most)
{
	struct string s = number(j);
	uint64_t v = 0;
	if (s.length == 0)
		json_fail(j, "an integer is expected");
	for (size_t i = 0; i < s.length; i++) {
		uint64_t digit = (uint64_t)(s.data[i] - '0');
		if (s.data[i] < '0' || s.data[i] > '9') {
			json_fail(j, "an integer is expected");
			break;
		}
		if (v > (UINT64_MAX - digit) / 10 || v * 10 + digit > most) {
			json_fail(j, "an integer is too large");
			break;
		}
		v = v * 10 + digit;
	}
	return j->error ? 0 : v;
}

/* Reads a word, if it is there. */
static bool word(struct json *j, const char *w)
{
	json_peek(j);
	const char *at = j->at;
	for (; *w; w++, at++)
		if (at == j->end || *at != *w)
			return false;
	j->at = at;
	return !j->error;
}

bool json_null(struct json *j) { return word(j, "null"); }

bool json_bool(struct json *j)
{
	if (word(j, "true"))
		return true;
	if (!word(j, "false"))
		json_fail(j, "true or false is expected");
	return false;
}

/* Skips a string: nothing is made of it. */
static void skip_string(struct json *j)
{
	for (j->at++; j->at < j->end && *j->at != '"'; j->at++)
		if (*j->at == '\\')
			j->at++;
	if (j->at >= j->end) {
		j->at = j->end;
		json_fail(j, "a string has no end");
		return;
	}
	j->at++;
}

struct string json_skip(struct json *j)
{
	json_peek(j);
	const char *from = j->at;
	int depth = 0;
	do {
		char c = json_peek(j);
		switch (c) {
		case '{':
		case '[':
			if (++depth > most_depth)
				json_fail(j, "values are nested too deep");
			j->at++;
			break;
		case '}':
		case ']':
			depth--;
			j->at++;
			break;
		case '"':
			skip_string(j);
			break;
		case ',':
		case ':':
			j->at++;
			if (depth == 0)
				json_fail(j, "a value is expected");
			break;
		case 0:
			json_fail(j, "a value is expected");
			break;
		default:
			if (!word(j, "true") && !word(j, "false") && !word(j, "null"))
				json_number(j);
		}
	} while (depth > 0 && !j->error);
	if (depth < 0)
		json_fail(j, "a value is expected");
	return (struct string){from, (size_t)(j->at - from)};
}

void json_finish(struct json *j)
{
	space(j);
	if (j->at != j->end)
		json_fail(j, "something follows the request");
}

void write_string(struct buffer *b, const char *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	write_text(b, "\"");
	for (size_t i = 0; i < n;) {
		int size = utf8_next(s + i, n - i);
		unsigned char c = (unsigned char)s[i];
		if (size <= 0) {
			write_text(b, "\\ufffd");
			i += size < 0 ? (size_t)-size : n - i;
			continue;
		}
		if (c == '"' || c == '\\') {
			write_text(b, "\\");
			buffer_append(b, s + i, 1);
		} else if (c < 32 || c == 127) {
			write_text(b, "\\u00");
			buffer_append(b, &digits[c >> 4], 1);
			buffer_append(b, &digits[c & 15], 1);
		} else {
			buffer_append(b, s + i, (size_t)size);
		}
		i += (size_t)size;
	}
	write_text(b, "\"");
}
