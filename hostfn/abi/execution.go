package abi

func execution() Family {
	rows := []Parameter{p("rows", Pointer, "const struct realm_row"), p("n", U64), outTicket}
	return Family{"execution", "Steps of a model, and whole texts.", []Function{
		{
			Name:       "step",
			Parameters: rows,
			Doc:        "Reads the tokens of n rows, at most 1024, each of another sequence, and chooses a token after each, in one batch as far as they fit. wait writes a struct realm_result to each row's out.",
			Errnos:     []Errno{Inval, Badf, Fault, Perm, Quota},
			Example: `struct realm_row row = {.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(ids), .n = count, .out = REALM_PTR(out), .cap = sizeof out};
uint64_t ticket, which;
realm_step(&row, 1, &ticket);
realm_wait(&ticket, 1, REALM_FOREVER, &which);`,
		},
		{
			Name:       "gen",
			Parameters: rows,
			Doc:        "Reads the tokens of n rows, at most 1024, and writes on, a token after the other, until a stop token, max_tokens or the end of the context: the engine runs the loop, and gen_next tells of each token. Rows with drafts and ROW_VERIFY are for step.",
			Errnos:     []Errno{Inval, Badf, Fault, Perm, Quota},
			Example: `struct realm_row row = {.size = sizeof row, .sequence = sequence, .tokens = REALM_PTR(ids), .n = count, .max_tokens = 100};
realm_gen(&row, 1, &ticket);`,
		},
		{
			Name:       "gen_next",
			Parameters: []Parameter{p("ticket", U64), p("events", Pointer, "struct realm_event"), p("cap", U64), p("count", Pointer, "uint64_t")},
			Blocks:     true,
			Doc:        "Waits for events of gen and writes as many as are there and fit, one behind the other: each is as long as its size says, candidates among it. cap is in bytes, count in events. After the EVENT_END of every row it returns NOENT, and the ticket is gone.",
			Errnos:     []Errno{Badf, Inval, Fault, Toobig, Noent},
			Example: `struct realm_event events[8];
while (realm_gen_next(ticket, events, sizeof events, &count) == REALM_OK)
	for (uint64_t i = 0; i < count; i++) { /* events[i].token */ }`,
		},
		{
			Name:       "logits",
			Parameters: []Parameter{p("ticket", U64), p("row", U32), p("pos", U32), p("buf", Pointer, "float"), p("cap", U64)},
			Blocks:     true,
			Capability: CapLogits,
			Doc:        "Copies the logits [vocabulary] that token pos of a row's result was chosen from (pos 0 for a row that only read), of a step with ROW_LOGITS that was waited for last. cap is in bytes.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, Toobig, Noent},
			Example:    `realm_logits(ticket, 0, 0, logits, 4 * info.vocabulary);`,
		},
		{
			Name:       "draft",
			Parameters: []Parameter{p("sequences", Pointer, "const uint32_t"), p("n", U64), p("k", U32), p("mode", U32), p("out", Pointer, "struct realm_draft"), outTicket},
			Capability: CapDraft,
			Doc:        "Proposes up to k tokens, at most 16, that may follow each of n sequences, at most 64; the tokens of a sequence that were chosen and not yet read count as its own. wait writes an array of structs. Proposals go into a row with ROW_VERIFY, behind the last token that was chosen.",
			Errnos:     []Errno{Inval, Badf, Fault, Perm, Noent, Quota},
			Example: `struct realm_draft draft = {.size = sizeof draft};
realm_draft(&sequence, 1, 8, REALM_DRAFT_LOOKUP, &draft, &ticket);`,
		},
	}}.in(Module)
}

func policy() Family {
	return Family{"policy", "What tokens may be chosen, and how.", []Function{
		{
			Name:       "sampler_new",
			Parameters: []Parameter{p("model", U32), p("spec", Pointer, "const struct realm_sampler"), p("n", U64), outHandle},
			Doc:        "Makes a sampler, which remembers the tokens that its penalties count. It is for one sequence at a time. n is the bytes of spec.",
			Errnos:     []Errno{Badf, Inval, Fault, Quota},
			Example: `struct realm_sampler spec = {.size = sizeof spec, .temperature = 0.8f, .top_p = 0.95f, .seed = 7};
realm_sampler_new(model, &spec, sizeof spec, &sampler);`,
		},
		{
			Name:       "grammar_new",
			Parameters: []Parameter{p("model", U32), p("kind", U32), p("s", Pointer, "const char"), p("n", U64), outHandle},
			Blocks:     true,
			Capability: CapGrammar,
			Doc:        "Makes a grammar over the vocabulary of a model, at its beginning. What is wrong with the text is in the log.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, Grammar, Quota, Canceled},
			Example:    `realm_grammar_new(model, REALM_GRAMMAR_REGEX, "[0-9]+", 6, &grammar);`,
		},
		{
			Name:       "grammar_fork",
			Parameters: []Parameter{p("grammar", U32), outHandle},
			Capability: CapGrammar,
			Doc:        "Makes a grammar that is where this one is.",
			Errnos:     []Errno{Badf, Fault, Perm, Quota, Busy},
			Example:    `realm_grammar_fork(grammar, &fork);`,
		},
		{
			Name:       "grammar_advance",
			Parameters: []Parameter{p("grammar", U32), p("tokens", Pointer, "const int32_t"), p("n", U64), p("rollback", U64)},
			Capability: CapGrammar,
			Doc:        "Takes back the last rollback tokens, and then takes n tokens. GRAMMAR: one of them is not allowed; the grammar is where it was before the call.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, Grammar, Busy},
			Example:    `realm_grammar_advance(grammar, &token, 1, 0);`,
		},
		{
			Name:       "grammar_mask",
			Parameters: []Parameter{p("grammar", U32), p("bits", Pointer, "uint32_t"), p("cap", U64)},
			Capability: CapGrammar,
			Doc:        "Writes a bit for each token of the vocabulary, 1 where it may come next: token t is bit t%32 of word t/32. cap is in bytes.",
			Errnos:     []Errno{Badf, Fault, Perm, Toobig, Busy},
			Example:    `realm_grammar_mask(grammar, bits, sizeof bits);`,
		},
		{
			Name:       "adapter_open",
			Parameters: []Parameter{p("model", U32), p("name", Pointer, "const char"), p("n", U64), outHandle},
			Blocks:     true,
			Capability: CapAdapter,
			Doc:        "Opens a LoRA adapter of the model that the tenant may use, by name; it is loaded if it is not yet. INVAL: it is no adapter, or one of another model; NOMEM: the adapters that are in use leave it no room.",
			Errnos:     []Errno{Badf, Inval, Fault, Nosys, Perm, Noent, Nomem, Quota, Canceled, IO},
			Example:    `realm_adapter_open(model, "pirate", 6, &adapter);`,
		},
	}}.in(Module)
}
