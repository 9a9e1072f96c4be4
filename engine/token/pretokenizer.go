package token

import (
	"fmt"
	"unicode"
)

// newPreTokenizer gives the rules of the pre-tokenizer that a file names (tokenizer.ggml.pre).
// The names, and which share their rules, are those of llama.cpp,
// https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp; where that departs from
// the model's own tokenizer.json (it has no \p{Lu} and the like), the latter is followed. Each
// regular expression below is one pass.
func newPreTokenizer(name string) (preTokenizer, error) {
	var p preTokenizer
	switch name {
	case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
		"jina-v5-nano":
		p.passes, p.wholeWords, p.bos = llama3(3), true, true
	case "dbrx", "smaug-bpe", "chatglm-bpe", "glm4":
		p.passes = llama3(3)
	case "qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "solar-open", "grok-2", "kormo",
		"f2llmv2", "bailingmoe", "bailingmoe2", "llada-moe":
		p.passes = llama3(1)
	case "minicpm5":
		// \p{N}{1,3}
		p.passes, p.wholeWords = append([]pass{byRules(upTo(3, unicode.IsNumber))}, llama3(3)...), true
	case "laguna":
		// [^\n]+|\n+
		p.passes = append([]pass{byRules(run(not(in("\n"))), run(in("\n")))}, llama3(1)...)
	case "ufakzeka":
		p.passes = []pass{byRules(llama3Words(1)...)}
	case "seed-coder":
		p.passes = seedCoder()
	case "jais-2":
		p.passes = jais2()
	case "qwen35":
		p.passes = qwen35()
	case "gpt-2", "mpt", "olmo", "phi-2", "jais", "trillion", "exaone4", "granite-docling", "gigachat",
		"modern-bert", "roberta-bpe", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de",
		"jina-v2-code", "a.x-4.0", "mellum":
		p.passes = []pass{gpt2()}
	case "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2":
		// \p{N}
		p.passes = []pass{byRules(one(unicode.IsNumber)), gpt2()}
	case "falcon":
		// [\p{P}\$\+<=>\^~\|`]+ ... [0-9][0-9][0-9]
		p.passes = []pass{
			byRules(run(anyOf(unicode.IsPunct, in("$+<=>^~|`")))),
			gpt2(),
			byRules(exactly(3, isDigit)),
		}
	case "default":
		// [\p{P}\$\+<=>\^~\|]+ ... \p{N}+ and [0-9][0-9][0-9]
		p.passes = []pass{
			byRules(run(anyOf(unicode.IsPunct, in("$+<=>^~|")))),
			gpt2(),
			byRules(run(unicode.IsNumber)),
			byRules(exactly(3, isDigit)),
		}
	case "deepseek-llm":
		p.passes = deepSeekLLM()
	case "deepseek-coder":
		p.passes = deepSeekCoder()
	case "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4":
		p.passes = deepSeekV3()
	case "spark2_5":
		p.passes = spark()
	case "youtu":
		p.passes, p.wholeWords = youtu(), true
	case "tekken":
		p.passes, p.wholeWords, p.bos = []pass{o200k(1, nil)}, true, true
	case "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2":
		p.passes = []pass{o200k(3, anyContraction)}
	case "granite-embed-multi-97m":
		p.passes, p.wholeWords = []pass{o200k(3, anyContraction)}, true
	case "tiny_aya", "cohere2moe":
		// \d{1,3}(?=(?:\d{3})*\b)
		p.passes = []pass{byRules(thousands(isWordCharacter)), o200k(3, anyContraction)}
	case "superbpe":
		// \p{N}+ and, in effect, \d{1,3}(?=(?:\d{3})*(?!\d)): words go on over spaces
		p.passes = []pass{byRules(run(unicode.IsNumber)), byRules(thousands(unicode.IsDigit))}
	case "poro-chat", "bloom", "gpt3-finnish":
		p.passes = []pass{bloom()}
	case "viking":
		p.passes = []pass{bloom(), byRules(one(unicode.IsNumber))}
	default:
		return p, fmt.Errorf("%w: %.64q", ErrPreTokenizer, name)
	}
	return p, nil
}

// gpt2 is 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func gpt2() pass {
	return byRules(
		contraction,
		after(isSpaceBar, run(unicode.IsLetter)),
		after(isSpaceBar, run(unicode.IsNumber)),
		symbols(),
		gap,
		run(unicode.IsSpace),
	)
}

// llama3 is (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}|
// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func llama3(digits int) []pass {
	return []pass{byRules(append([]rule{anyContraction}, llama3Words(digits)...)...)}
}

// llama3Words is llama3 without its contractions.
func llama3Words(digits int) []rule {
	return []rule{
		llama3Letters(),
		upTo(digits, unicode.IsNumber),
		then(symbols(), isLineBreak),
		lines,
		gap,
		run(unicode.IsSpace),
	}
}

// llama3Letters is [^\r\n\p{L}\p{N}]?\p{L}+
func llama3Letters() rule {
	return after(not(isLineBreak, unicode.IsLetter, unicode.IsNumber), run(unicode.IsLetter))
}

// symbols is ?[^\s\p{L}\p{N}]+ with a space before.
func symbols() rule {
	return after(isSpaceBar, run(not(unicode.IsSpace, unicode.IsLetter, unicode.IsNumber)))
}

// seedCoder is llama3(1) whose symbols do not take the line breaks behind them.
func seedCoder() []pass {
	return []pass{byRules(
		anyContraction,
		llama3Letters(),
		one(unicode.IsNumber),
		symbols(),
		lines,
		gap,
		run(unicode.IsSpace),
	)}
}

// jais2 is llama3(3) with other white space: \s{512}(?!\S)|\s{256}(?!\S)| ... |\s{4}(?!\S)|
// \s{1,2}(?!\S)|\s in place of \s+(?!\S)|\s+
func jais2() []pass {
	rules := []rule{anyContraction, llama3Letters(), upTo(3, unicode.IsNumber), then(symbols(), isLineBreak), lines}
	for n := 512; n >= 1; n /= 2 {
		rules = append(rules, gapOf(n))
	}
	return []pass{byRules(append(rules, one(unicode.IsSpace))...)}
}

// qwen35 is llama3(1) with marks that go with letters:
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|
// ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func qwen35() []pass {
	return []pass{byRules(
		anyContraction,
		after(not(isLineBreak, unicode.IsLetter, unicode.IsNumber), run(anyOf(unicode.IsLetter, unicode.IsMark))),
		one(unicode.IsNumber),
		then(after(isSpaceBar, run(not(unicode.IsSpace, unicode.IsLetter, unicode.IsMark, unicode.IsNumber))), isLineBreak),
		lines,
		gap,
		run(unicode.IsSpace),
	)}
}

// o200k is [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+suffix?|
// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*suffix?|
// \p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
func o200k(digits int, suffix rule) pass {
	either := func(r rune) bool { return unicode.In(r, unicode.Lm, unicode.Lo, unicode.M) }
	upper := func(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Lt) || either(r) }
	lower := func(r rune) bool { return unicode.Is(unicode.Ll, r) || either(r) }
	lead := not(isLineBreak, unicode.IsLetter, unicode.IsNumber)
	ending, starting := after(lead, withLower(upper, lower)), after(lead, then(run(upper), lower))
	if suffix != nil {
		ending, starting = maybe(ending, suffix), maybe(starting, suffix)
	}
	return byRules(
		ending,
		starting,
		upTo(digits, unicode.IsNumber),
		then(symbols(), anyOf(isLineBreak, in("/"))),
		lines,
		gap,
		run(unicode.IsSpace),
	)
}

// youtu is [hangul]+|[punctuation]+|[bopomofo]+|[cjk]+ and then o200k of single digits.
func youtu() []pass {
	return []pass{
		byRules(
			run(ranges("\u3131\u318e\uac00\ud7a3")),
			run(ranges("\u2014\u2014\u2018\u2019\u201c\u201d\u2026\u2026\u3001\u303f\ufe30\ufe4f\uff01\uff01\uff0c\uff0c\uff1a\uff1b")),
			run(ranges("\u3105\u312f")),
			run(ranges(deepSeekV3CJK)),
		),
		o200k(1, anyContraction),
	}
}

// bloom is ?[^(\s|.,!?…。，、।۔،)]+ with a space before.
func bloom() pass {
	return byRules(after(isSpaceBar, run(not(unicode.IsSpace, in("(|.,!?…。，、।۔،)")))))
}

// deepSeekLLM is [\r\n], \s?[cased]+, \s?[punctuation]+, \s+$, [cjk]+ and \p{N}+
func deepSeekLLM() []pass {
	punctuation := ranges("!/:~\u2018\u201f\u3000\u3002\uff01\uff0f\uff1a\uff5e")
	return []pass{
		byRules(one(isLineBreak)),
		byRules(after(unicode.IsSpace, run(ranges(deepSeekCased)))),
		byRules(after(unicode.IsSpace, run(punctuation))),
		byTrailingSpace,
		byRules(run(ranges(deepSeekCJK))),
		byRules(run(unicode.IsNumber)),
	}
}

// deepSeekCoder is [\r\n], \s?\p{L}+, \s?\p{P}+, [cjk]+ and \p{N}
func deepSeekCoder() []pass {
	return []pass{
		byRules(one(isLineBreak)),
		byRules(after(unicode.IsSpace, run(unicode.IsLetter))),
		byRules(after(unicode.IsSpace, run(unicode.IsPunct))),
		byRules(run(ranges(deepSeekCJK))),
		byRules(one(unicode.IsNumber)),
	}
}

// deepSeekV3 is \p{N}{1,3}, [\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+ and
// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+
func deepSeekV3() []pass {
	marks := after(isSpaceBar, run(isPunctOrSymbol))
	return deepSeekV3Passes(then(marks, isLineBreak), lines, gap, run(unicode.IsSpace))
}

// deepSeekV3Passes is deepSeekV3 whose last pass ends with the given rules.
func deepSeekV3Passes(rest ...rule) []pass {
	ascii := func(r rune) bool { return r < 0x80 && isPunctOrSymbol(r) }
	words := []rule{
		pair(one(ascii), run(isLatin)),
		after(not(isLineBreak, unicode.IsLetter, isPunctOrSymbol), run(anyOf(unicode.IsLetter, unicode.IsMark))),
	}
	return []pass{
		byRules(upTo(3, unicode.IsNumber)),
		byRules(run(ranges(deepSeekV3CJK))),
		byRules(append(words, rest...)...),
	}
}

// spark is deepSeekV3 with ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+ at the end of its words, and then
// \p{N}
func spark() []pass {
	marks := after(isSpaceBar, run(isPunctOrSymbol))
	return append(deepSeekV3Passes(marks, one(isLineBreak), gap, run(unicode.IsSpace)), byRules(one(unicode.IsNumber)))
}

// deepSeekCJK has the pairs of U+0800-U+4E00 with U+4E00-U+9FA5, and of Hangul.
const deepSeekCJK = "\u0800\u9fa5\uac00\ud7ff"

// deepSeekV3CJK has the pairs of kana and of U+4E00-U+9FA5.
const deepSeekV3CJK = "\u3040\u30ff\u4e00\u9fa5"

// deepSeekCased has the pairs of first and last of the letters with case that DeepSeek LLM's
// expression lists: most of \p{Lu}, \p{Ll} and \p{Lt}, but not all.
const deepSeekCased = "" +
	"\u0041\u005a\u0061\u007a\u00b5\u00b5\u00c0\u00d6\u00d8\u00f6\u00f8\u01ba\u01bc\u01bf" +
	"\u01c4\u0293\u0295\u02af\u0370\u0373\u0376\u0376\u0377\u0377\u037b\u037d\u037f\u037f" +
	"\u0386\u0386\u0388\u038a\u038c\u038c\u038e\u03a1\u03a3\u03f5\u03f7\u0481\u048a\u052f" +
	"\u0531\u0556\u10a0\u10c5\u13a0\u13f5\u13f8\u13fd\u1c90\u1cba\u1cbd\u1cbf\u1d00\u1d2b" +
	"\u1d6b\u1d77\u1d79\u1d9a\u1e00\u1f15\u1f18\u1f1d\u1f20\u1f45\u1f48\u1f4d\u1f50\u1f57" +
	"\u1f59\u1f59\u1f5b\u1f5b\u1f5d\u1f5d\u1f5f\u1f7d\u1f80\u1fb4\u1fb6\u1fbc\u1fbe\u1fbe" +
	"\u1fc2\u1fc4\u1fc6\u1fcc\u1fd0\u1fd3\u1fd6\u1fdb\u1fe0\u1fec\u1ff2\u1ff4\u1ff6\u1ffc" +
	"\u2102\u2102\u2107\u2107\u210a\u2113\u2115\u2115\u2119\u211d\u2124\u2124\u2126\u2126" +
	"\u2128\u2128\u212a\u212d\u212f\u2134\u2139\u2139\u213c\u213f\u2145\u2149\u214e\u214e" +
	"\u2183\u2183\u2184\u2184\u2c00\u2c7b\u2c7e\u2ce4\u2ceb\u2cee\u2cf2\u2cf2\u2cf3\u2cf3" +
	"\ua640\ua66d\ua680\ua69b\ua722\ua76f\ua771\ua787\ua78b\ua78e\uab70\uabbf\ufb00\ufb06" +
	"\ufb13\ufb17\uff21\uff3a\uff41\uff5a\U00010400\U0001044f\U000104b0\U000104d3\U000104d8\U000104fb\U00010c80\U00010cb2" +
	"\U00010cc0\U00010cf2\U000118a0\U000118df\U0001e900\U0001e943"
