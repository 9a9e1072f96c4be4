package webgpu

import "github.com/realm-webgpu/realm/engine/device"

// stepLayout says where each part of a step lies in the step buffer, in words.
type stepLayout struct {
	tokens, positions, sequences, outputs, samplers, lengths, tables int
	adapters, scales, outputAdapters, outputScales                   int // where adapts
	adapts                                                           bool
	pages                                                            int // of a block table
	words                                                            int
}

// The first words of the step buffer.
const (
	stepRows    = iota // the number of rows
	stepOutputs        // of outputs
	stepChunks         // of pages that the longest sequence has
	stepHeader  = 8
)

// samplerWords is the size of a row's sampler: see sample.wgsl.
const samplerWords = 8

func newStepLayout(p *device.Program) stepLayout {
	var l stepLayout
	at := stepHeader
	take := func(to *int, words int) {
		*to = at
		at += words
	}
	take(&l.tokens, p.Rows)
	take(&l.positions, p.Rows)
	take(&l.sequences, p.Rows)
	take(&l.outputs, p.Outputs)
	take(&l.samplers, p.Outputs*samplerWords)
	if l.adapts = p.Adapts(); l.adapts {
		take(&l.adapters, p.Rows)
		take(&l.scales, p.Rows)
		take(&l.outputAdapters, p.Outputs)
		take(&l.outputScales, p.Outputs)
	}
	if p.Cache == nil {
		l.lengths, l.words = at, at
		return l
	}
	take(&l.lengths, p.Sequences)
	take(&l.tables, p.Sequences*p.Pages)
	l.pages = p.Pages
	l.words = at
	return l
}

// write lays a step out in host and returns the words that are used.
func (l *stepLayout) write(host []uint32, s *device.Step) []uint32 {
	host[stepRows] = uint32(len(s.Tokens))
	host[stepOutputs] = uint32(len(s.Outputs))
	put(host[l.tokens:], s.Tokens)
	put(host[l.positions:], s.Positions)
	put(host[l.sequences:], s.Sequences)
	put(host[l.outputs:], s.Outputs)
	for i, sampler := range s.Samplers {
		putSampler(host[l.samplers+i*samplerWords:], sampler)
	}
	if l.adapts {
		l.writeAdapters(host, s)
	}
	if l.pages == 0 { // there is no cache
		return host[:l.lengths]
	}
	put(host[l.lengths:], s.Lengths)
	longest, end := int32(0), l.tables
	for i, table := range s.BlockTables {
		put(host[l.tables+i*l.pages:], table)
		end = l.tables + i*l.pages + len(table)
		longest = max(longest, s.Lengths[i])
	}
	host[stepChunks] = uint32(longest+device.PageTokens-1) / device.PageTokens
	return host[:end]
}

// writeAdapters lays out the adapters of rows, and those of outputs.
func (l *stepLayout) writeAdapters(host []uint32, s *device.Step) {
	put(host[l.adapters:], s.Adapters)
	for i, scale := range s.Scales {
		host[l.scales+i] = bits(scale)
	}
	for i, row := range s.Outputs {
		host[l.outputAdapters+i] = uint32(s.Adapters[row])
		host[l.outputScales+i] = bits(s.Scales[row])
	}
}

func put(to []uint32, from []int32) {
	for i, v := range from {
		to[i] = uint32(v)
	}
}

func putSampler(to []uint32, s device.Sampler) {
	to[0] = bits(s.Temperature)
	to[1] = bits(s.TopP)
	to[2] = bits(s.MinP)
	to[3] = uint32(s.TopK)
	to[4] = uint32(s.Seed)
	to[5] = uint32(s.Seed >> 32)
	to[6] = s.Position
}

// axis says what a dimension of a grid counts.
type axis int

const (
	axisFixed   axis = iota
	axisRows         // the step's rows
	axisOutputs      // the step's outputs
)

// grid is how many workgroups a dispatch has: x is fixed, or counts threads
// of lanes to a workgroup for each page of the longest sequence; y counts rows
// or outputs, tile of them to a workgroup, from row0 to at most count of them.
type grid struct {
	x, z     uint32
	perChunk uint32 // threads for each page; 0: x is fixed
	lanes    uint32
	y        axis
	tile     uint32
	row0     uint32
	count    uint32 // 0: all
	times    uint32 // columns of each row or output; 0: one
}

// size returns the workgroups for a step.
func (g *grid) size(rows, outputs, chunks uint32) (x, y, z uint32) {
	x, y, z = g.x, 1, max(g.z, 1)
	if g.perChunk > 0 {
		x = (g.perChunk*chunks + g.lanes - 1) / g.lanes
	}
	switch g.y {
	case axisRows:
		y = rows
	case axisOutputs:
		y = outputs
	default:
		return x, y, z
	}
	if y <= g.row0 {
		return x, 0, z
	}
	y -= g.row0
	if g.count > 0 {
		y = min(y, g.count)
	}
	return x, (y + g.tile - 1) / g.tile * max(g.times, 1), z
}
