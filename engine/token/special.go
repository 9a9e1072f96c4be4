package token

// endNames are the texts of tokens that end a model's turn, as llama.cpp gathers them: files often
// name one such token and have several.
var endNames = [...]string{
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
	"<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
	"<|end_of_text|>", "<end_of_utterance>", "<eos>", "<｜end▁of▁sentence｜>", "[e~[",
}

// fillEndNames end what a model fills in: padding, and the marks of the next repository or file.
var fillEndNames = [...]string{
	"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
	"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
}

// fillNames are the texts of the tokens that mark what is before, after and in a gap to fill.
var fillNames = [...]string{
	"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
	"<|code_prefix|>", "<|prefix|>",
	"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
	"<|code_suffix|>", "<|suffix|>",
	"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
	"<|code_middle|>", "<|middle|>",
}

// special is what a vocabulary says of tokens that are no text.
type special struct {
	bos, eos, unknown, separator int32 // none where the vocabulary has none
	ends                         map[int32]bool
}

// readSpecial reads the special tokens. defaults are their ids where the file does not say. Tokens
// that are known by name to steer models are made Control, whatever the file says.
func readSpecial(md Metadata, v *vocabulary, defaults special) (special, error) {
	s := special{ends: make(map[int32]bool)}
	for _, entry := range []struct {
		key      string
		fallback int32
		id       *int32
	}{
		{keyClass, defaults.bos, &s.bos},
		{keyEOS, defaults.eos, &s.eos},
		{keyUnknown, defaults.unknown, &s.unknown},
		{keySeparator, defaults.separator, &s.separator},
	} {
		id, err := tokenID(md, entry.key, entry.fallback, len(v.tokens))
		if err != nil {
			return s, err
		}
		*entry.id = id
	}
	var err error
	if s.bos, err = tokenID(md, keyBOS, s.bos, len(v.tokens)); err != nil {
		return s, err
	}
	for _, key := range [...]string{keyEOT, keyEOM, keyFillPad, keyFillRepo, keyFillFile} {
		id, err := tokenID(md, key, none, len(v.tokens))
		if err != nil {
			return s, err
		}
		if id != none {
			s.ends[id] = true
		}
	}
	for _, names := range [...][]string{endNames[:], fillEndNames[:]} {
		for _, name := range names {
			if id, found := v.ids[name]; found {
				s.ends[id], v.kinds[id] = true, Control
			}
		}
	}
	for _, name := range fillNames {
		if id, found := v.ids[name]; found {
			v.kinds[id] = Control
		}
	}
	if s.eos != none {
		s.ends[s.eos] = true
	}
	v.keepChannels(s)
	return s, nil
}

// keepChannels undoes what the names got wrong: in a vocabulary whose turns end with <|return|> or
// <|flush|>, <|end|> only ends a message inside the turn.
func (v *vocabulary) keepChannels(s special) {
	has := func(name string) bool { _, found := v.ids[name]; return found }
	end, found := v.ids["<|end|>"]
	if found && (has("<|return|>") || has("<|flush|>")) && (has("<|call|>") || has("<|calls|>")) {
		delete(s.ends, end)
		v.kinds[end] = UserDefined
	}
}
