#include <math.h>

#include "json.h"

#include "check.h"

static void parse(const char *text, bool good)
{
	bool ok;
	double v = number_parse(text, strlen(text), &ok), want = good ? strtod(text, 0) : 0;
	CHECK(ok == good);
	if (ok && !(fabs(v - want) <= 4e-16 * fabs(want)))
		fprintf(stderr, "%s is read as %.17g\n", text, v), failures++;
}

/* A number is the same again once it was written and read, by us and by others. */
static void again(float v)
{
	struct buffer b = {0};
	write_number(&b, v);
	write_text(&b, "");
	*buffer_extend(&b, 1) = 0;
	bool ok;
	float own = (float)number_parse(b.data, b.length - 1, &ok), others = strtof(b.data, 0);
	if (!ok || own != v || others != v || b.length > 24)
		fprintf(stderr, "%.9g is written as %s\n", v, b.data), failures++;
}

static void written(float v, const char *want)
{
	struct buffer b = {0};
	write_number(&b, v);
	CHECK_TEXT(b, want);
}

int test_number(void)
{
	failures = 0;
	static const char *const good[] = {
		"0", "-0", "1", "-12.5", "0.001", "1e3", "1E-3", "1.5e+10", "123456789012345678901234567890", "0.1", "3.4028235e38", "1e-45",
		"0.000000000000000000000000000000000001",
	};
	static const char *const bad[] = {"", "-", ".5", "1.", "01", "1e", "1e+", "+1", "1x", "0x1", "1e5.5", "NaN", "--1", "1.e5"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		parse(good[i], true);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		parse(bad[i], false);
	bool ok;
	CHECK(isinf(number_parse("1e400", 5, &ok)) && ok);
	CHECK(number_parse("1e-400", 6, &ok) == 0 && ok);
	written(0, "0");
	written(1, "1");
	written(-1.5f, "-1.5");
	written(0.1f, "0.1");
	written(100, "100");
	written(1e-5f, "0.00001");
	written(1e-6f, "1e-6");
	written(1e20f, "1e20");
	written(123456.5f, "123456.5");
	written(INFINITY, "null");
	written(NAN, "null");
	uint32_t random = 7;
	for (int i = 0; i < 300000; i++) {
		random = random * 1664525 + 1013904223;
		float v;
		memcpy(&v, &random, sizeof v);
		if (isfinite(v) && fabsf(v) >= 1.2e-38f)
			again(v);
		again((float)(random >> 8) / -3e5f);
	}
	struct buffer b = {0};
	write_integer(&b, INT64_MIN);
	CHECK_TEXT(b, "-9223372036854775808");
	return failures;
}
