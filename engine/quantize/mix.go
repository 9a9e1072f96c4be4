package quantize

import (
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// Mix says which format each matrix of a file gets.
type Mix struct {
	Name   string        // as people call it: "Q4_K_M"
	Format *quant.Format // of the matrices that no rule is for: most of them
	// Pure is true of a mix without rules.
	Pure bool

	fileType uint32
	rules    []rule
}

// fileTypeUnnamed is llama.cpp's LLAMA_FTYPE_GUESSED: look at the tensors.
const fileTypeUnnamed = 1024

// Mixes returns the mixes that have a name: those of llama.cpp whose formats are
// in shaders/quant, and a pure one of each format that llama.cpp makes no files
// of. They are in the order of the formats.
func Mixes() []Mix {
	var all []Mix
	for _, f := range quant.All() {
		named := false
		for _, row := range mixTable() {
			if row.format == f.Name {
				all = append(all, row.mix(f))
				named = true
			}
		}
		if !named {
			all = append(all, Pure(f))
		}
	}
	return all
}

// MixByName returns the mix of a name, in any case of letters. "Q3_K", "Q4_K" and
// "Q5_K" stand for the medium mix of the format, as in llama.cpp.
func MixByName(name string) (Mix, bool) {
	all := Mixes()
	for _, suffix := range []string{"", "_M"} {
		i := slices.IndexFunc(all, func(m Mix) bool { return strings.EqualFold(m.Name, name+suffix) })
		if i >= 0 {
			return all[i], true
		}
	}
	return Mix{}, false
}

// Pure returns the mix that has one format for every matrix. Its file type is that
// of llama.cpp's mix with the most matrices of the format.
func Pure(f *quant.Format) Mix {
	m := Mix{Name: f.Name, Format: f, Pure: true, fileType: fileTypeUnnamed}
	for _, row := range mixTable() {
		if row.format == f.Name && row.most {
			m.fileType = row.fileType
		}
	}
	return m
}

// mixRow is a row of the table of mixes.
type mixRow struct {
	name     string
	format   string
	fileType uint32 // enum llama_ftype of llama.h
	most     bool   // of the mixes of a format, the one with the most matrices in it
	rules    []rule
}

func (r mixRow) mix(f *quant.Format) Mix {
	m := Mix{Name: r.name, Format: f, Pure: f.Layout.Plain, fileType: r.fileType}
	if !m.Pure {
		m.rules = slices.Concat(commonRules(), r.rules)
	}
	return m
}

// choose returns the format of the matrix at a place.
func (m *Mix) choose(p place) *quant.Format {
	for _, r := range m.rules {
		if r.role == p.role && (r.when == nil || r.when(p)) {
			if f, ok := quant.ByName(r.format); ok {
				return f
			}
		}
	}
	return m.Format
}
