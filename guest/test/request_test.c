#include "request.h"

#include "check.h"

static bool read(struct request *r, const char *text, const char **error, struct string *member)
{
	return request_read(r, text, strlen(text), error, member);
}

static void all(void)
{
	struct request r;
	const char *error;
	struct string member;
	CHECK(read(&r,
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"unknown\":{\"a\":[1]},\"adapter\":null,"
		"\"max_tokens\":7,\"temperature\":0.5,\"top_k\":40,\"top_p\":0.9,\"min_p\":0.05,\"typical_p\":0.8,\"repetition_penalty\":1.1,"
		"\"frequency_penalty\":-0.5,\"presence_penalty\":2,\"penalty_window\":64,\"penalize_prompt\":true,\"seed\":18446744073709551615,"
		"\"logit_bias\":{\"12\":-100,\"7\":1.5},\"stop\":[\"a\",\"\",\"bc\"],\"stop_tokens\":[3,4],\"ignore_eos\":true,\"n\":2,\"best_of\":3,"
		"\"logprobs\":true,\"top_logprobs\":5,\"echo_tokens\":true,\"grammar\":{\"kind\":\"regex\",\"text\":\"a+\"},"
		"\"speculative\":{\"mode\":\"lookup\"},\"save\":{\"key\":\"k\",\"ttl\":60},\"load\":{\"key\":\"l\"}}", &error, &member));
	CHECK(string_is(r.model, "m") && r.messages && !r.has_prompt && r.adapter.length == 0 && r.max_tokens == 7);
	CHECK(r.sampling.temperature == 0.5f && r.sampling.top_k == 40 && r.sampling.top_p == 0.9f && r.sampling.min_p == 0.05f);
	CHECK(r.sampling.typical_p == 0.8f && r.sampling.repetition_penalty == 1.1f && r.sampling.frequency_penalty == -0.5f);
	CHECK(r.sampling.presence_penalty == 2 && r.sampling.penalty_window == 64 && r.penalize_prompt && r.sampling.seed == UINT64_MAX);
	const struct realm_candidate *bias = (const struct realm_candidate *)(uintptr_t)r.sampling.bias;
	CHECK(r.sampling.bias_count == 2 && bias[0].token == 12 && bias[0].value == -100 && bias[1].token == 7 && bias[1].value == 1.5f);
	CHECK(r.stops.count == 2 && string_is(r.stops.all[1], "bc"));
	CHECK(r.stop_token_count == 2 && r.stop_tokens[1] == 4 && r.ignore_eos && r.n == 2 && r.best_of == 3);
	CHECK(r.logprobs && r.top_logprobs == 5 && r.echo_tokens && r.grammar_kind == REALM_GRAMMAR_REGEX && string_is(r.grammar, "a+"));
	CHECK(r.draft_mode == REALM_DRAFT_LOOKUP && r.draft_tokens == 4 && string_is(r.save.key, "k") && r.save.ttl == 60 && string_is(r.load.key, "l"));

	CHECK(read(&r, "{\"prompt_tokens\":[1,2,300000]}", &error, &member));
	CHECK(r.prompt_token_count == 3 && r.prompt_tokens[2] == 300000 && r.n == 1 && r.best_of == 1 && r.grammar_kind == -1 && r.draft_mode == -1);
	CHECK(read(&r, "{\"prompt\":\"\",\"stop\":\"x\"}", &error, &member));
	CHECK(r.has_prompt && r.stops.count == 1);
}

static void refused(void)
{
	static const struct {
		const char *text, *member;
	} cases[] = {
		{"", ""},
		{"[]", ""},
		{"{}", ""},
		{"{\"prompt\":\"x\",\"messages\":[]}", ""},
		{"{\"prompt\":1}", "prompt"},
		{"{\"prompt\":\"x\",\"n\":129}", "n"},
		{"{\"prompt\":\"x\",\"n\":3,\"best_of\":2}", ""},
		{"{\"prompt\":\"x\",\"temperature\":\"hot\"}", "temperature"},
		{"{\"prompt\":\"x\",\"max_tokens\":-1}", "max_tokens"},
		{"{\"prompt\":\"x\",\"max_tokens\":1.5}", "max_tokens"},
		{"{\"prompt\":\"x\",\"top_logprobs\":21}", "top_logprobs"},
		{"{\"prompt\":\"x\",\"logit_bias\":{\"a\":1}}", "logit_bias"},
		{"{\"prompt\":\"x\",\"grammar\":{\"kind\":\"xml\",\"text\":\"\"}}", "grammar"},
		{"{\"prompt\":\"x\",\"grammar\":{\"kind\":\"regex\"}}", "grammar"},
		{"{\"prompt\":\"x\",\"speculative\":{\"mode\":\"magic\"}}", "speculative"},
		{"{\"prompt\":\"x\",\"speculative\":{\"mode\":\"lookup\",\"tokens\":17}}", "speculative"},
		{"{\"prompt\":\"x\",\"save\":{\"ttl\":1}}", "save"},
		{"{\"prompt\":\"x\",\"stop\":[1]}", "stop"},
		{"{\"prompt\":\"x\",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]}", "stop"},
		{"{\"prompt\":\"x\"} {}", ""},
		{"{\"prompt\":\"x\"", "prompt"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request r;
		const char *error = 0;
		struct string member;
		if (read(&r, cases[i].text, &error, &member) || !error || !string_is(member, cases[i].member))
			fprintf(stderr, "%s: %s in \"%.*s\"\n", cases[i].text, error ? error : "read", (int)member.length, member.data), failures++;
	}
	struct buffer b = {0};
	write_text(&b, "{\"prompt\":\"x\",\"stop_tokens\":[");
	for (int i = 0; i < 50; i++)
		write_text(&b, i ? ",1" : "1");
	write_text(&b, "]}");
	struct request r;
	const char *error;
	struct string member;
	CHECK(!request_read(&r, b.data, b.length, &error, &member) && string_is(member, "stop_tokens"));
}

int test_request(void)
{
	failures = 0;
	all();
	refused();
	return failures;
}
