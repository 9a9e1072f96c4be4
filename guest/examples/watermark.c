/* A sampler of its own: a watermark. Tokens are green or red by a hash of a key, of
 * the token before and of their own, and green ones are made more probable. Whoever
 * has the key finds more green tokens in such a text than chance would have put there
 * (Kirchenbauer et al., "A Watermark for Large Language Models", ICML 2023).
 *
 *     {"messages": [...], "key": 42, "strength": 4, "temperature": 1, "seed": 1, "max_tokens": 64}
 *
 * It shows how to choose tokens from candidates. */
#include "prompt.h"

REALM_CAPABILITIES("TOPK");

enum { candidates = 64, most_tokens = 1024 };

struct result {
	struct realm_result head;
	struct realm_candidate candidates[candidates];
};

REALM_EXPORT("realm_abi") uint32_t realm_abi(void) { return REALM_ABI; }

/* The finaliser of SplitMix64 (Steele et al., OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static bool green(uint64_t key, int32_t before, int32_t token)
{
	return mix(mix(key ^ (uint64_t)(uint32_t)before << 32) ^ (uint32_t)token) & 1;
}

/* e to the power of x, for x up to 0 or a little more: by halving until a short series
 * will do. */
static double power(double x)
{
	int halved = 0;
	if (x < -700)
		return 0;
	while (x < -0.125 || x > 0.125) {
		x /= 2;
		halved++;
	}
	double term = 1, sum = 1;
	for (int i = 1; i < 10; i++)
		sum += term *= x / i;
	while (halved-- > 0)
		sum *= sum;
	return sum;
}

/* Draws one of the candidates. */
static int32_t draw(const struct result *r, uint64_t key, double strength, double temperature, int32_t before, uint64_t random)
{
	double weights[candidates], sum = 0;
	for (uint32_t i = 0; i < r->head.top_k; i++) {
		double value = r->candidates[i].value - r->candidates[0].value;
		if (green(key, before, r->candidates[i].token))
			value += strength;
		sum += weights[i] = power(value / temperature);
	}
	double left = (double)(random >> 11) * 0x1p-53 * sum;
	for (uint32_t i = 0; i < r->head.top_k; i++)
		if ((left -= weights[i]) < 0)
			return r->candidates[i].token;
	return r->candidates[0].token;
}

REALM_EXPORT("realm_run") int32_t realm_run(void)
{
	static struct prompt p;
	static struct result result;
	static int32_t tokens[most_tokens];
	TRY(prompt_read(&p));
	double temperature = prompt_number(&p, "temperature", 1), most = prompt_number(&p, "max_tokens", 64);
	double strength = prompt_number(&p, "strength", 4);
	if (!(temperature > 0.01 && temperature <= 100 && most >= 1 && most <= most_tokens && strength >= 0 && strength <= 100) || p.count == 0)
		return REALM_INVAL;
	uint64_t key = (uint64_t)prompt_number(&p, "key", 0), state = (uint64_t)prompt_number(&p, "seed", 0);
	uint32_t sequence = 0;
	TRY(realm_seq_open(p.model, 0, &sequence));
	struct realm_row row = {
		.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(p.tokens), .n = p.count,
		.flags = REALM_ROW_NO_SAMPLE | REALM_ROW_TOPK, .top_k = candidates < p.info.vocabulary ? candidates : p.info.vocabulary,
		.out = REALM_PTR(&result), .cap = sizeof result,
	};
	int32_t before = p.tokens[p.count - 1];
	for (uint32_t n = 0; n < (uint32_t)most; n++) {
		TRY(prompt_step(&row, 1));
		tokens[n] = draw(&result, key, strength, temperature, before, mix(state++));
		if (prompt_ends(&p, tokens[n]))
			break;
		TRY(prompt_emit(&p, &tokens[n], 1));
		struct buffer event = {0};
		write_text(&event, "{\"type\":\"token\",\"index\":0,\"token\":");
		write_integer(&event, tokens[n]);
		write_text(&event, "}");
		TRY(realm_emit(REALM_CHANNEL_EVENT, event.data, event.length));
		before = tokens[n];
		row.tokens = REALM_PTR(&tokens[n]);
		row.n = 1;
	}
	return REALM_OK;
}
