package abi

// p makes a parameter.
func p(name string, t Type, of ...string) Parameter {
	x := Parameter{Name: name, Type: t}
	if len(of) > 0 {
		x.Of = of[0]
	}
	return x
}

// What functions have in common.
var (
	outHandle = p("out", Pointer, "uint32_t")
	outTicket = p("ticket", Pointer, "uint64_t")
)

func core() Family {
	return Family{"core", "The request, its budget, and waiting.", []Function{
		{
			Name:       "abi_info",
			Parameters: []Parameter{p("out", Pointer, "struct realm_abi_info"), p("cap", U64)},
			Doc:        "Tells the version and the features of the host, and the limits of this instance. It writes at most cap bytes.",
			Errnos:     []Errno{Inval, Fault},
			Example: `struct realm_abi_info info;
if (realm_abi_info(&info, sizeof info) == REALM_OK && info.minor >= 1) { /* newer functions */ }`,
		},
		{
			Name:       "args",
			Parameters: []Parameter{p("buf", Pointer, "void"), p("cap", U64), p("n", Pointer, "uint64_t")},
			Doc:        "Copies the request, a JSON object, and stores its length in bytes in n. With too little room it copies nothing.",
			Errnos:     []Errno{Fault, Toobig},
			Example: `uint64_t n = 0;
realm_args(0, 0, &n);
char *request = malloc(n);
realm_args(request, n, &n);`,
		},
		{
			Name:       "emit",
			Parameters: []Parameter{p("channel", U32), p("p", Pointer, "const void"), p("n", U64)},
			Blocks:     true,
			Doc:        "Sends bytes to whoever made the request, and waits while that one is slow. Text channels take any bytes and are joined; the event channel takes one JSON object a call.",
			Errnos:     []Errno{Inval, Fault, Quota, Canceled, IO},
			Example:    `realm_emit(REALM_CHANNEL_TEXT, "Paris", 5);`,
		},
		{
			Name:       "recv",
			Parameters: []Parameter{p("buf", Pointer, "void"), p("cap", U64), p("n", Pointer, "uint64_t"), p("us", U64)},
			Blocks:     true,
			Doc:        "Takes the next message that came after the request, waiting for it for us microseconds at most, and stores its length in bytes in n. A message that does not fit stays. NOENT says that none will come any more.",
			Errnos:     []Errno{Fault, Toobig, Timedout, Noent, Canceled},
			Example: `char message[4096];
uint64_t n;
while (realm_recv(message, sizeof message, &n, REALM_FOREVER) == REALM_OK) { /* ... */ }`,
		},
		{
			Name:       "budget",
			Parameters: []Parameter{p("out", Pointer, "struct realm_budget")},
			Doc:        "Tells what is left to this instance.",
			Errnos:     []Errno{Inval, Fault},
			Example: `struct realm_budget b = {.size = sizeof b};
realm_budget(&b);`,
		},
		{
			Name:       "random",
			Parameters: []Parameter{p("p", Pointer, "void"), p("n", U64)},
			Doc:        "Fills n bytes, at most 65536, with numbers from the system's generator.",
			Errnos:     []Errno{Inval, Fault},
			Example: `uint64_t seed;
realm_random(&seed, sizeof seed);`,
		},
		{
			Name:       "log",
			Parameters: []Parameter{p("level", U32), p("p", Pointer, "const char"), p("n", U64)},
			Doc:        "Writes a line of at most 4096 bytes to the host's log. The host may drop it.",
			Errnos:     []Errno{Inval, Fault, Quota},
			Example:    `realm_log(REALM_LOG_INFO, "ready", 5);`,
		},
		{
			Name:       "cancel",
			Parameters: []Parameter{p("ticket", U64)},
			Doc:        "Ends the work of a ticket. Rows that had not ended have the error CANCELED; the ticket is still to be waited for.",
			Errnos:     []Errno{Badf},
			Example:    `realm_cancel(ticket);`,
		},
		{
			Name:       "close",
			Parameters: []Parameter{p("handle", U32)},
			Doc:        "Gives back what a handle stands for. A sequence in a step is closed when the step is done. The handle is not given out again.",
			Errnos:     []Errno{Badf},
			Example:    `realm_close(sequence);`,
		},
		{
			Name:       "wait",
			Parameters: []Parameter{p("tickets", Pointer, "const uint64_t"), p("n", U64), p("us", U64), p("which", Pointer, "uint64_t")},
			Blocks:     true,
			Doc:        "Waits for us microseconds at most until one of n tickets, at most 1024, is done, and stores its index in which. The results of a step, of a draft and of ops are written now, and the ticket is gone. A ticket of gen is done when it has an event to take; it is gone when gen_next has given the last.",
			Errnos:     []Errno{Inval, Badf, Fault, Timedout, Canceled},
			Example: `uint64_t which;
if (realm_wait(&ticket, 1, REALM_FOREVER, &which) == REALM_OK) { /* result is there */ }`,
		},
	}}.in(Module)
}

// in puts the functions of a family into a module.
func (f Family) in(module string) Family {
	for i := range f.Functions {
		f.Functions[i].Module = module
	}
	return f
}
