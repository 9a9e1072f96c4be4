// Package token turns text into the ids of a model's vocabulary and back. Vocabularies are read
// from GGUF metadata and come in four kinds: SentencePiece's byte-pair models (Llama 2, Gemma) and
// its unigram models (T5, XLM-RoBERTa), byte-level byte pairs (GPT-2, Llama 3, Qwen) and WordPiece
// (BERT).
package token

import (
	"fmt"
	"strings"
	"unicode"
)

// model is what the kinds of vocabulary differ in.
type model interface {
	// encode appends the ids of text, which has no special tokens. afterSpecial says that the text
	// is the first or follows a special token.
	encode(dst []int32, text string, afterSpecial bool) []int32
	// piece gives the text that a token of this kind stands for.
	piece(token string, kind Kind) string
}

// Tokenizer is one model's vocabulary. It does not change and may be used by many goroutines.
type Tokenizer struct {
	vocab   *vocabulary
	special special
	model   model
	pieces  []string // by id
	notes   []string

	parsed, always *lexicon // tokens found in text before all others: on request, and in any case

	addBOS, addEOS, addSeparator bool
	spacePrefix                  bool   // a text begins with a space that is not its own
	trimAfter                    []bool // by id: white space behind the token is dropped; nil for none
}

// New reads a vocabulary. Errors are ErrModel, ErrPreTokenizer, ErrVocabulary and those of md.
func New(md Metadata) (*Tokenizer, error) {
	t, err := read(md)
	if err != nil {
		return nil, fmt.Errorf("token: read vocabulary: %w", err)
	}
	return t, nil
}

func read(md Metadata) (*Tokenizer, error) {
	kind, err := md.String(keyModel)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{}
	if t.vocab, err = readVocabulary(md); err != nil {
		return nil, err
	}
	switch kind {
	case "llama":
		err = t.readSentencePiece(md)
	case "gpt2":
		err = t.readBytePair(md)
	case "bert":
		err = t.readWordPiece(md)
	case "t5":
		err = t.readUnigram(md)
	default:
		err = fmt.Errorf("%w: %.64q", ErrModel, kind)
	}
	if err != nil {
		return nil, err
	}
	if err := t.readFlags(md); err != nil {
		return nil, err
	}
	if err := t.readTrim(md); err != nil {
		return nil, err
	}
	t.always = newLexicon(t.vocab, func(k Kind) bool { return k == UserDefined })
	t.parsed = newLexicon(t.vocab, func(k Kind) bool { return k == UserDefined || k == Control || k == Unknown })
	t.pieces = make([]string, len(t.vocab.tokens))
	for id, token := range t.vocab.tokens {
		t.pieces[id] = t.model.piece(token, t.vocab.kinds[id])
	}
	return t, nil
}

func (t *Tokenizer) readSentencePiece(md Metadata) (err error) {
	defaults := special{bos: 1, eos: 2, unknown: 0, separator: none}
	if t.special, err = readSpecial(md, t.vocab, defaults); err != nil {
		return err
	}
	model, err := newSentencePiece(md, t.vocab, t.special.unknown)
	if err != nil {
		return err
	}
	t.model, t.spacePrefix = model, model.prefix
	t.addBOS = t.special.bos != none
	return nil
}

func (t *Tokenizer) readBytePair(md Metadata) (err error) {
	defaults := special{bos: none, eos: none, unknown: none, separator: none}
	if t.special, err = readSpecial(md, t.vocab, defaults); err != nil {
		return err
	}
	name, err := text(md, keyPre)
	if err != nil {
		return err
	}
	if name == "" {
		name = "default"
		t.notes = append(t.notes, "the file names no pre-tokenizer ("+keyPre+
			"): text is split by llama.cpp's default rules, which may not be this model's")
	}
	pre, err := newPreTokenizer(name)
	if err != nil {
		return err
	}
	t.addBOS = pre.bos && t.special.bos != none
	t.model, err = newBytePair(md, t.vocab, pre)
	return err
}

func (t *Tokenizer) readWordPiece(md Metadata) (err error) {
	defaults := special{bos: 101, eos: none, unknown: 100, separator: 102}
	if t.special, err = readSpecial(md, t.vocab, defaults); err != nil {
		return err
	}
	t.addBOS, t.addSeparator = t.special.bos != none, t.special.separator != none
	t.spacePrefix = true
	t.model, err = newWordPiece(md, t.vocab, t.special.unknown)
	return err
}

func (t *Tokenizer) readUnigram(md Metadata) (err error) {
	defaults := special{bos: none, eos: 1, unknown: 2, separator: none}
	if t.special, err = readSpecial(md, t.vocab, defaults); err != nil {
		return err
	}
	t.addEOS = t.special.eos != none
	model, err := newUnigram(md, t.vocab, t.special.unknown)
	if err != nil {
		return err
	}
	t.model, t.spacePrefix = model, model.prefix
	return nil
}

// readFlags reads which special tokens are put around a text.
func (t *Tokenizer) readFlags(md Metadata) error {
	for _, flag := range []struct {
		key   string
		value *bool
		id    int32
	}{
		{keyAddBOS, &t.addBOS, t.special.bos},
		{keyAddEOS, &t.addEOS, t.special.eos},
		{keyAddSeparator, &t.addSeparator, t.special.separator},
	} {
		value, err := boolean(md, flag.key, *flag.value)
		if err != nil {
			return err
		}
		if value && flag.id == none {
			return fmt.Errorf("%w: %s is set, and there is no such token", ErrVocabulary, flag.key)
		}
		*flag.value = value
	}
	return nil
}

// readTrim finds the tokens behind which white space is dropped. GGUF does not record it, so it
// goes by the model's name: Phi-3's special tokens are so.
func (t *Tokenizer) readTrim(md Metadata) error {
	name, err := text(md, keyName)
	if err != nil {
		return err
	}
	if name = strings.ToLower(name); !strings.Contains(name, "phi-3") && !strings.Contains(name, "phi3") {
		return nil
	}
	t.trimAfter = make([]bool, len(t.vocab.tokens))
	for id, token := range t.vocab.tokens {
		switch t.vocab.kinds[id] {
		case Control, UserDefined, Unknown:
			t.trimAfter[id] = token != "<unk>" && token != "<s>" && token != "<|endoftext|>"
		}
	}
	return nil
}

// Options say how a text is encoded.
type Options struct {
	// AddSpecial puts BOS before the text and EOS behind it where the vocabulary wants them.
	AddSpecial bool
	// ParseSpecial reads <|im_end|> and the like in the text as the token. Leave it unset for
	// text that is not to be trusted.
	ParseSpecial bool
}

// Encode appends the ids of text to dst. User-defined tokens are found first, with control tokens
// if asked for: the leftmost, and of those the longest.
func (t *Tokenizer) Encode(dst []int32, text string, options Options) []int32 {
	if options.AddSpecial && t.addBOS {
		dst = append(dst, t.special.bos)
	}
	found := t.always
	if options.ParseSpecial {
		found = t.parsed
	}
	for afterSpecial := true; text != ""; {
		id, at, size := found.find(text)
		if size == 0 {
			at = len(text)
		}
		if at > 0 {
			dst = t.model.encode(dst, text[:at], afterSpecial)
			afterSpecial = false
		}
		if size > 0 {
			dst = append(dst, id)
			afterSpecial = true
		}
		text = text[at+size:]
		if size > 0 && t.trimAfter != nil && t.trimAfter[id] {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		}
	}
	if options.AddSpecial && t.addEOS {
		dst = append(dst, t.special.eos)
	}
	if options.AddSpecial && t.addSeparator {
		dst = append(dst, t.special.separator)
	}
	return dst
}

// Len is the number of tokens; ids are 0 to Len()-1.
func (t *Tokenizer) Len() int { return len(t.pieces) }

// Lookup gives the token whose text in the file is name, such as <|im_start|>.
func (t *Tokenizer) Lookup(name string) (id int32, found bool) {
	id, found = t.vocab.ids[name]
	return id, found
}

// Kind gives the kind of a token, Undefined for an id out of range.
func (t *Tokenizer) Kind(id int32) Kind {
	if uint(id) >= uint(len(t.pieces)) {
		return Undefined
	}
	return t.vocab.kinds[id]
}

// BOS gives the token that begins a text.
func (t *Tokenizer) BOS() (id int32, found bool) { return t.special.bos, t.special.bos != none }

// EOS gives the token that ends a text.
func (t *Tokenizer) EOS() (id int32, found bool) { return t.special.eos, t.special.eos != none }

// IsEndOfGeneration reports whether a model that gives this token has finished.
func (t *Tokenizer) IsEndOfGeneration(id int32) bool { return t.special.ends[id] }

// Notes say what the file left out and what was assumed instead.
func (t *Tokenizer) Notes() []string { return t.notes }
