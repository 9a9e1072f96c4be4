package abi

func model() Family {
	handle := p("model", U32)
	return Family{"model", "Models, and text as tokens.", []Function{
		{
			Name:       "model_open",
			Parameters: []Parameter{p("name", Pointer, "const char"), p("n", U64), outHandle},
			Doc:        "Opens a model that the tenant may use, by name; the empty name is the request's own. It has to be loaded already, or AGAIN is returned until it is.",
			Errnos:     []Errno{Fault, Inval, Noent, Perm, Again, Quota},
			Example: `uint32_t model;
realm_model_open("", 0, &model);`,
		},
		{
			Name:       "model_info",
			Parameters: []Parameter{handle, p("out", Pointer, "struct realm_model_info"), p("cap", U64)},
			Doc:        "Tells the shape of a model. It writes at most cap bytes.",
			Errnos:     []Errno{Badf, Inval, Fault},
			Example: `struct realm_model_info info;
realm_model_info(model, &info, sizeof info);`,
		},
		{
			Name:       "tokenize",
			Parameters: []Parameter{handle, p("s", Pointer, "const char"), p("n", U64), p("flags", U32), p("out", Pointer, "int32_t"), p("cap", U64), p("count", Pointer, "uint64_t")},
			Doc:        "Cuts n bytes of UTF-8 into tokens. cap and count are in tokens. With too little room it writes none.",
			Errnos:     []Errno{Badf, Inval, Fault, Toobig},
			Example: `int32_t ids[64];
uint64_t count;
realm_tokenize(model, "Oslo", 4, 0, ids, 64, &count);`,
		},
		{
			Name:       "detokenize",
			Parameters: []Parameter{handle, p("tokens", Pointer, "const int32_t"), p("n", U64), p("out", Pointer, "char"), p("cap", U64), p("count", Pointer, "uint64_t")},
			Doc:        "Gives the bytes that n tokens add to a text that goes on: not always whole characters. Control tokens add none, unless the request asked for them. cap and count are in bytes.",
			Errnos:     []Errno{Badf, Inval, Fault, Toobig},
			Example: `char text[256];
uint64_t count;
realm_detokenize(model, &token, 1, text, sizeof text, &count);`,
		},
		{
			Name:       "chat_encode",
			Parameters: []Parameter{handle, p("json", Pointer, "const char"), p("n", U64), p("out", Pointer, "int32_t"), p("cap", U64), p("count", Pointer, "uint64_t")},
			Doc:        "Puts a conversation into the model's chat template, up to where the model answers: {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"tools\": [...]} with OpenAI's members. cap and count are in tokens. NOENT: the model has no template.",
			Errnos:     []Errno{Badf, Inval, Fault, Toobig, Noent},
			Example:    `realm_chat_encode(model, request, n, ids, 512, &count);`,
		},
	}}.in(Module)
}

func sequence() Family {
	handle := p("sequence", U32)
	return Family{"sequence", "Sequences of tokens, their forks and what they keep.", []Function{
		{
			Name:       "seq_open",
			Parameters: []Parameter{p("model", U32), p("flags", U32), outHandle},
			Doc:        "Makes an empty sequence.",
			Errnos:     []Errno{Badf, Inval, Fault, Quota},
			Example: `uint32_t sequence;
realm_seq_open(model, 0, &sequence);`,
		},
		{
			Name:       "seq_fork",
			Parameters: []Parameter{handle, p("n", U64), p("outs", Pointer, "uint32_t")},
			Doc:        "Makes n sequences, at most 256, of the same tokens. Pages are shared until one of them writes. All are made or none.",
			Errnos:     []Errno{Badf, Inval, Fault, Quota, Busy},
			Example: `uint32_t forks[4];
realm_seq_fork(sequence, 4, forks);`,
		},
		{
			Name:       "seq_truncate",
			Parameters: []Parameter{handle, p("len", U64)},
			Doc:        "Drops the tokens from index len on.",
			Errnos:     []Errno{Badf, Inval, Busy},
			Example:    `realm_seq_truncate(sequence, prompt_tokens);`,
		},
		{
			Name:       "seq_save",
			Parameters: []Parameter{handle, p("key", Pointer, "const char"), p("n", U64), p("ttl", U64)},
			Blocks:     true,
			Doc:        "Keeps a fork of a sequence under a key of 1 to 256 bytes for ttl seconds, for this tenant only and beyond this request. It may be evicted before that. An older one of that key is replaced.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, Quota, Busy},
			Example:    `realm_seq_save(sequence, "conversation-7", 14, 600);`,
		},
		{
			Name:       "seq_load",
			Parameters: []Parameter{p("model", U32), p("key", Pointer, "const char"), p("n", U64), outHandle},
			Blocks:     true,
			Doc:        "Makes a fork of what seq_save kept. NOENT: nothing was kept under that key; EVICTED: it is gone.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, Noent, Evicted, Quota},
			Example: `if (realm_seq_load(model, "conversation-7", 14, &sequence) != REALM_OK)
	realm_seq_open(model, 0, &sequence);`,
		},
		{
			Name:       "seq_stat",
			Parameters: []Parameter{p("sequences", Pointer, "const uint32_t"), p("n", U64), p("out", Pointer, "struct realm_seq_stat")},
			Doc:        "Tells the lengths of n sequences, at most 1024, in an array of structs of the size that the first one says. A handle that is none has the error BADF in its struct.",
			Errnos:     []Errno{Inval, Fault},
			Example: `struct realm_seq_stat stat = {.size = sizeof stat};
realm_seq_stat(&sequence, 1, &stat);`,
		},
	}}.in(Module)
}
