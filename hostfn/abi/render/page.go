package render

import (
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

const pageTop = `# The guest interface, version %d.%d

<!-- Generated from hostfn/abi: go run ./hostfn/abi/generate -->

A guest is a WebAssembly module that orchestrates the generation of one answer. It
imports functions from the modules ` + "`%s` and `%s`" + `, exports its memory as
` + "`%s`" + `, its whole life as ` + "`%s() -> i32`" + ` and the version that it was built for as
` + "`%s() -> i32`" + ` (major << 16 | minor); an exported ` + "`%s`" + ` is called first. The memory may
be of 64 or of 32 bits. The C header is guest/realm.h.

Every function returns an i32 errno. Pointers, lengths, times and tickets are i64
whatever the guest's own pointers are; handles, flags and indices are i32. Structs
are little-endian, aligned naturally, and begin with their size in bytes, so that
they can grow. A call that blocks holds up the guest and no one else. The others
return at once, and what they were given has been copied by then; results of
tickets are written inside of ` + "`wait` and `gen_next`" + ` only, with the range checked
again there.

Capabilities stand in a custom section ` + "`%s`" + `: names with white space or commas
between them. A call without its capability returns PERM. An import that is not
listed here makes loading fail, by name. For languages whose toolchain needs it, a
part of ` + "`%s`" + ` is there as well: arguments, an empty environment,
clocks, random numbers, standard output and error to the log, poll for time, and
proc_exit; no files and no sockets. A wasip1 command may export ` + "`%s`" + ` in place of
` + "`realm_run` and `realm_abi`" + `.

A trap or a limit ends the request with an error that names it, and nothing of the
instance is used again.
`

// Page returns docs/guest-abi.md.
func Page() string {
	var b strings.Builder
	fmt.Fprintf(&b, pageTop, abi.Major, abi.Minor, abi.Module, abi.TensorModule, abi.ExportMemory, abi.ExportRun,
		abi.ExportABI, abi.ExportInitialize, abi.CapabilitySection, abi.WASIModule, abi.ExportStart)
	b.WriteString("\n## Errnos\n\n| number | name | meaning |\n|---|---|---|\n")
	for _, e := range abi.Errnos() {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", int32(e), e.String(), e.Doc())
	}
	b.WriteString("\n## Constants\n")
	for _, g := range abi.Groups() {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| name | value | meaning |\n|---|---|---|\n", g.Name, g.Doc)
		for _, c := range g.Constants {
			fmt.Fprintf(&b, "| %s | %d | %s |\n", c.Name, c.Value, cell(c.Doc))
		}
	}
	b.WriteString("\n## Structs\n\n`candidate` is the one struct without a size, as it comes in long arrays: int32 token, float32 value.\n")
	for _, s := range abi.Structs() {
		fmt.Fprintf(&b, "\n### %s\n\n%s %d bytes.\n\n| offset | field | type | meaning |\n|---|---|---|---|\n", s.Name, s.Doc, s.Size())
		for _, f := range s.Fields {
			kind := f.Type.C()
			if f.Of != "" {
				kind = "pointer to " + f.Of
			}
			if f.Len > 0 {
				kind = fmt.Sprintf("%s[%d]", kind, f.Len)
			}
			fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", f.Offset(), f.Name, kind, cell(f.Doc))
		}
	}
	for _, family := range abi.Families() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", strings.ToUpper(family.Name[:1])+family.Name[1:], family.Doc)
		for _, f := range family.Functions {
			pageFunction(&b, f)
		}
	}
	return b.String()
}

func pageFunction(b *strings.Builder, f abi.Function) {
	var parameters []string
	for _, p := range f.Parameters {
		kind := "i32"
		if p.Type.Wide() {
			kind = "i64"
		}
		parameters = append(parameters, p.Name+": "+kind)
	}
	fmt.Fprintf(b, "\n### %s\n\n`%s.%s(%s) -> i32`\n\n%s\n\n%s.\n\n```c\n%s\n```\n",
		f.Name, f.Module, f.Name, strings.Join(parameters, ", "), f.Doc, sentence(facts(f)), f.Example)
}

// sentence joins facts, and begins with a capital letter.
func sentence(facts []string) string {
	s := strings.Join(facts, "; ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// cell is text that may stand in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
