#include "json.h"

#include "check.h"

static void strings(void)
{
	static const struct {
		const char *text, *want; /* 0: an error */
	} cases[] = {
		{"\"\"", ""},
		{" \"a b\" ", "a b"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\"\\ud83d\"", "\xef\xbf\xbd"},
		{"\"\\ud83dx\"", "\xef\xbf\xbdx"},
		{"\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A"},
		{"\"\\ude00\"", "\xef\xbf\xbd"},
		{"\"", 0},
		{"\"\\", 0},
		{"\"\\x\"", 0},
		{"\"\\u12\"", 0},
		{"\"\\u12g4\"", 0},
		{"\"\n\"", 0},
		{"1", 0},
		{"", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json j = json_read(cases[i].text, strlen(cases[i].text));
		struct string s = json_string(&j);
		json_finish(&j);
		CHECK((j.error == 0) == (cases[i].want != 0));
		if (cases[i].want)
			CHECK_TEXT(s, cases[i].want);
	}
}

static void values(void)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"null", true}, {"[1,[2,{\"a\":[]}],\"x\\\"y\"]", true}, {"{}", true}, {"-1.5e+3", true}, {"true", true},
		{"[", false}, {"]", false}, {"[1,2", false}, {"\"a", false}, {"nul", false}, {",", false}, {"{\"a\":1", false},
		{"1.", false}, {"01", false}, {"--1", false}, {"", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json j = json_read(cases[i].text, strlen(cases[i].text));
		json_skip(&j);
		CHECK((j.error == 0) == cases[i].good);
	}
	char deep[2000];
	memset(deep, '[', sizeof deep);
	struct json j = json_read(deep, sizeof deep);
	json_skip(&j);
	CHECK(j.error != 0);
}

static void walk(void)
{
	const char *text = "{\"a\" : [1, 22 ,333], \"b\":{\"c\":null,\"d\":false}, \"e\":18446744073709551615}";
	struct json j = json_read(text, strlen(text));
	struct string name;
	uint64_t sum = 0, e = 0;
	int members = 0;
	for (bool first = true; json_member(&j, &first, &name); members++) {
		if (string_is(name, "a")) {
			for (bool begin = true; json_element(&j, &begin);)
				sum += json_integer(&j, 1000);
		} else if (string_is(name, "e")) {
			e = json_integer(&j, UINT64_MAX);
		} else {
			struct string s = json_skip(&j);
			CHECK_TEXT(s, "{\"c\":null,\"d\":false}");
		}
	}
	json_finish(&j);
	CHECK(!j.error && members == 3 && sum == 356 && e == UINT64_MAX);

	static const char *const bad[] = {"{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1001}", "{\"a\":1.5}", "{\"a\":-1}", "{\"a\":}", "{", "{} x"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		j = json_read(bad[i], strlen(bad[i]));
		for (bool first = true; json_member(&j, &first, &name);)
			json_integer(&j, 1000);
		json_finish(&j);
		CHECK(j.error != 0);
	}
}

static void writing(void)
{
	struct buffer b = {0};
	write_string(&b, "a\"\\\n\x01\xc3\xa9\xff\xe2\x82", 10);
	CHECK_TEXT(b, "\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\\ufffd\\ufffd\"");
	/* What is written is what is read. */
	struct json j = json_read(b.data, b.length);
	struct string s = json_string(&j);
	CHECK(!j.error);
	CHECK_TEXT(s, "a\"\\\n\x01\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
}

/* Texts that are broken at random end in an error, or not, and in nothing else. */
static void hostile(void)
{
	static const char seed[] = "{\"a\":[1.5e3,\"\\ud83d\\ude00\\n\",{\"b\":[true,false,null]}],\"c\":\"\xc3\xa9\"}";
	uint32_t random = 1;
	for (int i = 0; i < 200000; i++) {
		size_t n = sizeof seed - 1;
		char *text = malloc(n);
		memcpy(text, seed, n);
		for (int k = 0; k < 3; k++) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % n] = (char)(random >> 24);
		}
		n -= random % 7;
		struct json j = json_read(text, n);
		struct string name;
		for (bool first = true; json_member(&j, &first, &name);) {
			if (json_peek(&j) == '"')
				json_string(&j);
			else
				json_skip(&j);
		}
		json_finish(&j);
		free(text);
	}
}

int test_json(void)
{
	failures = 0;
	strings();
	values();
	walk();
	writing();
	hostile();
	return failures;
}
