// Package render writes the guest interface as a C header and as a page.
package render

import (
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

const headerTop = `/* realm.h: the guest interface of Realm, version %d.%d.
 *
 * Generated from hostfn/abi: go run ./hostfn/abi/generate
 *
 * A guest is a WebAssembly module, of 64-bit or of 32-bit memory, that exports
 * "memory", realm_run and realm_abi. The host calls realm_run once: it reads its
 * request with realm_args, works, sends its answer with realm_emit and returns 0.
 *
 * Every function returns an errno, REALM_OK being 0. Pointers and lengths cross
 * the interface as 64 bits, handles as 32. Structs begin with their size, which
 * whoever writes them fills in. Functions that may hold up the guest say "blocks".
 *
 * Build: clang --target=wasm64 -O2 -ffreestanding -nostdlib -Wl,--no-entry ...
 */
#ifndef REALM_H
#define REALM_H

#include <stdint.h>

#define REALM_ABI_MAJOR %[1]d
#define REALM_ABI_MINOR %[2]d
#define REALM_ABI (REALM_ABI_MAJOR << 16 | REALM_ABI_MINOR)

/* A pointer as it stands in structs. */
#define REALM_PTR(p) ((uint64_t)(uintptr_t)(p))

/* A time that is never reached. */
#define REALM_FOREVER UINT64_MAX

#ifdef __wasm__
#define REALM_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define REALM_EXPORT(name) __attribute__((export_name(name)))
/* Capabilities that the guest needs, once in a program: REALM_CAPABILITIES("TOPK GRAMMAR") */
#define REALM_CAPABILITIES(names) __asm__(".section .custom_section.realm.caps,\"\",@\n.ascii \"" names "\"\n")
#else
#define REALM_IMPORT(module, name)
#define REALM_EXPORT(name)
#define REALM_CAPABILITIES(names) struct realm_capabilities
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the guest exports. */
REALM_EXPORT("realm_run") int32_t realm_run(void);
REALM_EXPORT("realm_abi") uint32_t realm_abi(void);
`

const headerBottom = `
#ifdef __cplusplus
}
#endif

#endif
`

// Header returns realm.h.
func Header() string {
	var b strings.Builder
	fmt.Fprintf(&b, headerTop, abi.Major, abi.Minor)
	b.WriteString("\n/* Errnos. */\n")
	for _, e := range abi.Errnos() {
		fmt.Fprintf(&b, "#define REALM_%-9s %2d /* %s */\n", e.String(), int32(e), e.Doc())
	}
	for _, g := range abi.Groups() {
		fmt.Fprintf(&b, "\n/* %s */\n", g.Doc)
		for _, c := range g.Constants {
			fmt.Fprintf(&b, "#define REALM_%s %d", c.Name, c.Value)
			if c.Doc != "" {
				fmt.Fprintf(&b, " /* %s */", c.Doc)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString("\n/* A token with a log-probability, a logit or a bias. */\nstruct realm_candidate {\n\tint32_t token;\n\tfloat value;\n};\n")
	for _, s := range abi.Structs() {
		headerStruct(&b, s)
	}
	for _, f := range abi.Families() {
		fmt.Fprintf(&b, "\n/* ---- %s: %s */\n", f.Name, f.Doc)
		for _, fn := range f.Functions {
			headerFunction(&b, fn)
		}
	}
	b.WriteString(headerBottom)
	return b.String()
}

// headerStruct writes a layout, which the compiler checks.
func headerStruct(b *strings.Builder, s abi.Struct) {
	fmt.Fprintf(b, "\n/* %s */\nstruct realm_%s {\n", s.Doc, s.Name)
	for _, f := range s.Fields {
		fmt.Fprintf(b, "\t%s %s", f.Type.C(), f.Name)
		if f.Len > 0 {
			fmt.Fprintf(b, "[%d]", f.Len)
		}
		b.WriteByte(';')
		doc := f.Doc
		if f.Of != "" {
			doc = f.Of + " *: " + doc
		}
		if doc != "" {
			fmt.Fprintf(b, " /* %s */", doc)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "};\n_Static_assert(sizeof(struct realm_%s) == %d, \"layout\");\n", s.Name, s.Size())
}

// headerFunction writes an import and the function that a program calls.
func headerFunction(b *strings.Builder, f abi.Function) {
	fmt.Fprintf(b, "\n/* %s\n *\n", wrap(f.Doc, " * "))
	fmt.Fprintf(b, " * %s.\n", strings.Join(facts(f), "; "))
	fmt.Fprintf(b, " *\n *     %s\n */\n", exampleText(f.Example))
	var raw, typed, passed []string
	for _, p := range f.Parameters {
		raw = append(raw, p.Type.C()+" "+p.Name)
		if p.Of == "" {
			typed, passed = append(typed, p.Type.C()+" "+p.Name), append(passed, p.Name)
			continue
		}
		typed, passed = append(typed, p.Of+" *"+p.Name), append(passed, "REALM_PTR("+p.Name+")")
	}
	fmt.Fprintf(b, "REALM_IMPORT(%q, %q) int32_t realm_import_%s(%s);\n", f.Module, f.Name, f.Name, strings.Join(raw, ", "))
	fmt.Fprintf(b, "static inline int32_t realm_%s(%s) { return realm_import_%[1]s(%[3]s); }\n", f.Name, strings.Join(typed, ", "), strings.Join(passed, ", "))
}

// exampleText is an example inside a comment.
func exampleText(c string) string {
	return strings.NewReplacer("/*", "//", " */", "", "\n", "\n *     ").Replace(c)
}

// facts are what a program has to know of a function beside what it does.
func facts(f abi.Function) []string {
	var all []string
	if f.Blocks {
		all = append(all, "blocks")
	}
	if f.Capability != 0 {
		all = append(all, "needs "+capabilityName(f.Capability))
	}
	names := []string{}
	for _, e := range f.Errnos {
		names = append(names, e.String())
	}
	return append(all, "errnos: "+strings.Join(names, " "))
}

func capabilityName(bit uint64) string {
	for _, c := range abi.Groups()[0].Constants {
		if c.Value == bit {
			return c.Name
		}
	}
	return ""
}

// wrap breaks text into lines of about 90 characters.
func wrap(text, prefix string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+len(word) > 86:
			b.WriteString("\n" + prefix)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
