#include "json.h"

#include <string.h>

/* Multiplies by a power of ten. The powers up to 10^22 are exact, and so is the
 * product with a mantissa of 53 bits rounded once; further ones lose a bit or two,
 * which single precision does not see. */
static double scale(double v, int exponent)
{
	static const double powers[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	};
	while (exponent > 22 && v != 0 && v < 1e300) {
		v *= 1e22;
		exponent -= 22;
	}
	while (exponent < -22 && v > 1e-300) {
		v /= 1e22;
		exponent += 22;
	}
	if (exponent > 22)
		return v == 0 ? 0 : v * 1e22 * 1e22 * 1e22 * 1e22;
	if (exponent < -22)
		return 0;
	return exponent < 0 ? v / powers[-exponent] : v * powers[exponent];
}

double number_parse(const char *text, size_t length, bool *ok)
{
	const char *at = text, *end = text + length;
	bool negative = at < end && *at == '-';
	at += negative;
	uint64_t mantissa = 0;
	int exponent = 0, digits = 0, whole = 0;
	bool point = false;
	const char *first = at;
	for (; at < end; at++) {
		if (*at == '.' && !point && whole > 0) {
			point = true;
			continue;
		}
		if (*at < '0' || *at > '9')
			break;
		if (!point)
			whole++;
		if (mantissa < UINT64_MAX / 10 - 1) {
			mantissa = mantissa * 10 + (uint64_t)(*at - '0');
			exponent -= point;
		} else {
			exponent += !point;
		}
		digits++;
	}
	*ok = whole > 0 && !(whole > 1 && *first == '0') && !(point && at[-1] == '.');
	if (at < end && (*at | 32) == 'e') {
		at++;
		bool down = at < end && *at == '-';
		if (at < end && (*at == '-' || *at == '+'))
			at++;
		int e = 0;
		*ok = *ok && at < end;
		for (; at < end && *at >= '0' && *at <= '9'; at++)
			if (e < 100000)
				e = e * 10 + (*at - '0');
		exponent += down ? -e : e;
	}
	*ok = *ok && at == end && digits > 0;
	double v = scale((double)mantissa, exponent);
	return negative ? -v : v;
}

void write_text(struct buffer *b, const char *literal)
{
	buffer_append(b, literal, strlen(literal));
}

void write_integer(struct buffer *b, int64_t v)
{
	char digits[20];
	int n = 0;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	do
		digits[sizeof digits - (size_t)++n] = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		write_text(b, "-");
	buffer_append(b, digits + sizeof digits - n, (size_t)n);
}

/* Writes so many digits of a positive number, as few of them as say the same. */
static size_t digits_of(char *to, double v, int count)
{
	int exponent = 0; /* of the first digit */
	while (v >= scale(1, exponent + 1))
		exponent++;
	while (v < scale(1, exponent))
		exponent--;
	uint64_t rounded = (uint64_t)(scale(v, count - 1 - exponent) + 0.5);
	if ((double)rounded >= scale(1, count)) {
		rounded /= 10;
		exponent++;
	}
	while (rounded % 10 == 0 && count > 1) {
		rounded /= 10;
		count--;
	}
	char digits[10];
	for (int i = count - 1; i >= 0; i--, rounded /= 10)
		digits[i] = (char)('0' + rounded % 10);
	size_t n = 0;
	bool scientific = exponent < -5 || exponent > 15;
	int whole = scientific ? 0 : exponent; /* the place of the last digit before the point */
	if (whole < 0) {
		to[n++] = '0';
		to[n++] = '.';
		for (int i = -1; i > whole; i--)
			to[n++] = '0';
	}
	for (int i = 0; i < count || i <= whole; i++) {
		if (i == whole + 1 && i > 0)
			to[n++] = '.';
		to[n++] = i < count ? digits[i] : '0';
	}
	if (scientific) {
		struct buffer e = {to + n, 0, 8};
		write_text(&e, "e");
		write_integer(&e, exponent);
		n += e.length;
	}
	return n;
}

void write_number(struct buffer *b, float v)
{
	if (!(v - v == 0)) { /* neither a NaN nor infinite */
		write_text(b, "null");
		return;
	}
	if (v < 0) {
		write_text(b, "-");
		v = -v;
	}
	if (v == 0) {
		write_text(b, "0");
		return;
	}
	char text[48];
	size_t n = 0;
	for (int count = 6; count <= 9; count++) {
		bool ok;
		n = digits_of(text, v, count);
		if ((float)number_parse(text, n, &ok) == v)
			break;
	}
	buffer_append(b, text, n);
}
