package token

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// The expressions that the rules stand for, as tokenizer.json files have them.
const (
	gpt2Expression      = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Expression    = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	tekkenExpression    = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	contractionOrNot    = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?`
	gpt4oExpression     = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` + contractionOrNot + `|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` + contractionOrNot + `|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen35Expression    = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	deepSeekV3Words     = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
	deepSeekCJKRange    = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
	deepSeekPunctuation = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
	bloomExpression     = ` ?[^(\s|.,!?…。，、।۔،)]+`
)

var expressions = map[string][]string{
	"gpt-2":          {gpt2Expression},
	"mpt":            {gpt2Expression},
	"llama-bpe":      {llama3Expression},
	"smaug-bpe":      {llama3Expression},
	"qwen2":          {strings.Replace(llama3Expression, "{1,3}", "", 1)},
	"qwen35":         {qwen35Expression},
	"starcoder":      {`\p{N}`, gpt2Expression},
	"refact":         {`\p{N}`, gpt2Expression},
	"command-r":      {`\p{N}`, gpt2Expression},
	"smollm":         {`\p{N}`, gpt2Expression},
	"falcon":         {"[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Expression, `[0-9][0-9][0-9]`},
	"default":        {`[\p{P}\$\+<=>\^~\|]+`, gpt2Expression, `\p{N}+`, `[0-9][0-9][0-9]`},
	"deepseek-llm":   {`[\r\n]`, `\s?[` + classOf(deepSeekCased) + `]+`, deepSeekPunctuation, `\s+$`, deepSeekCJKRange, `\p{N}+`},
	"deepseek-coder": {`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, deepSeekCJKRange, `\p{N}`},
	"deepseek-v3":    {`\p{N}{1,3}`, "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", deepSeekV3Words},
	"tekken":         {tekkenExpression},
	"gpt-4o":         {gpt4oExpression},
	"bloom":          {bloomExpression},
	"minicpm5":       {`\p{N}{1,3}`, strings.Replace(llama3Expression, "{1,3}", "+", 1)},
	"laguna":         {`[^\n]+|[\n]+`, strings.Replace(llama3Expression, "{1,3}", "", 1)},
	"ufakzeka":       {`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	"bailingmoe":     {`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`},
	"seed-coder":     {`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`},
	"jais-2": {strings.Replace(llama3Expression, `|\s+(?!\S)|\s+`,
		`|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`, 1)},
	"spark2_5": {`\p{N}{1,3}`, "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
		strings.Replace(strings.Replace(deepSeekV3Words, `[\r\n]*|`, "|", 1), `\s*[\r\n]+`, `[\r\n]`, 1), `\p{N}`},
	"youtu": {"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+",
		strings.Replace(gpt4oExpression, "{1,3}", "", 1)},
	"tiny_aya": {`\d{1,3}(?=(?:\d{3})*\b)`, gpt4oExpression},
	"superbpe": {`\p{N}+`, `\d{1,3}(?=(?:\d{3})*(?!\d))`},
	"viking":   {bloomExpression, `\p{N}`},
}

// classOf writes pairs of first and last as the inside of a character class.
func classOf(pairs string) string {
	var b strings.Builder
	for i, r := range []rune(pairs) {
		b.WriteRune(r)
		if i%2 == 0 {
			b.WriteByte('-')
		}
	}
	return b.String()
}

// oracle splits text by the expressions themselves.
type oracle map[string][]*regexp2.Regexp

func newOracle(t testing.TB) oracle {
	o := make(oracle)
	for name, passes := range expressions {
		for _, expression := range passes {
			re, err := regexp2.Compile(expression)
			if err != nil {
				t.Fatal(err)
			}
			o[name] = append(o[name], re)
		}
	}
	return o
}

// cut appends what re matches in text and what lies between.
func cut(t testing.TB, dst []string, re *regexp2.Regexp, text string) []string {
	last := 0
	m, err := re.FindStringMatch(text)
	for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
		at, size := m.ByteRange()
		if at > last {
			dst = append(dst, text[last:at])
		}
		dst = append(dst, text[at:at+size])
		last = at + size
	}
	if err != nil {
		t.Fatal(err)
	}
	if last < len(text) {
		dst = append(dst, text[last:])
	}
	return dst
}

// compare checks the rules of every pre-tokenizer against its expressions.
func (o oracle) compare(t *testing.T, text string) {
	for name, passes := range o {
		p, err := newPreTokenizer(name)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{text}
		for _, re := range passes {
			var next []string
			for _, piece := range want {
				next = cut(t, next, re, piece)
			}
			want = next
		}
		if got := p.split(text); !slices.Equal(got, want) {
			t.Errorf("%s: %q\n got %q\nwant %q", name, text, got, want)
		}
	}
}

func TestPreTokenizersAgreeWithTheirExpressions(t *testing.T) {
	o := newOracle(t)
	for _, text := range []string{
		"", " ", "  ", "\n", " \n\n x", "a  b", "a  \n", "x\t\r\n y",
		"Hello, y'all! I'Ll, we'VE 'RE 'd 's", "don't stop'", "12345678 3.14",
		"ﾊﾝｶｸ　全角！ABC", "Äpfel über Straße ǅ ÅNGSTRÖM", "нещо на Български", "我想在apple工作1314151天～",
		"កាន់តែពិសេស", "🚀 (normal) 😶‍🌫️ ✅", "a/b//\n/c", "\u00a0nbsp\u2003em\u3000 ", "e\u0301a\u0300", "ABCdefGHI中文JK",
		"1234567 12 1234a 123456_ 1234567.89 ½12345 12345½", "한국어ㄱ，、ㄅㄆ〿︰", strings.Repeat(" ", 700), strings.Repeat("\t", 70) + "x",
		"foo_bar(x) += [1];\n\treturn", "１２３４ ①②", "\u2028\u0085\v\f",
	} {
		o.compare(t, text)
	}
	// Texts of characters from all the classes that the expressions tell apart.
	alphabet := []rune("aZéÄsStTlL'  \n\r\t\u3000.,-/(+=$~|1٣½我가ꙮ\u0301ʰǅΩK…🦙\ufffd")
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		text := make([]rune, random.IntN(24))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		o.compare(t, string(text))
	}
}

func FuzzPreTokenizers(f *testing.F) {
	o := newOracle(f)
	f.Add("Hello, y'all! 1234 \n\n 我")
	f.Fuzz(func(t *testing.T, text string) {
		if utf8.ValidString(text) && len(text) < 256 {
			o.compare(t, text)
		}
	})
}

func TestPreTokenizersLoseNoByte(t *testing.T) {
	text := "a\xffb \xc3 \xe2\x96 1\x80\n\xf0\x9f"
	for name := range expressions {
		p, err := newPreTokenizer(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.split(text), ""); got != text {
			t.Errorf("%s: got %q, want %q", name, got, text)
		}
	}
}

func TestUnknownPreTokenizerIsNamed(t *testing.T) {
	_, err := newPreTokenizer("of-tomorrow")
	if !errors.Is(err, ErrPreTokenizer) || !strings.Contains(err.Error(), `"of-tomorrow"`) {
		t.Errorf("got %v", err)
	}
}
