package cpu

// embed is device.Embed.
type embed struct {
	base
	out   block
	table *weights
	cache *cache // of Chosen tokens; nil: there are none
	scale float32
}

func (k *embed) run(s *step) {
	k.step = s
	k.pool.run(k, len(s.tokens), grain(k.out.Width))
}

func (k *embed) do(worker, first, last int) {
	for t := first; t < last; t++ {
		row := k.out.Row(t)
		k.table.decode(row, 0, k.token(t), &k.lanes[worker].parts)
		if k.scale != 0 && k.scale != 1 {
			for i := range row {
				row[i] *= k.scale
			}
		}
	}
}

// token returns the id of a row. One that the step before chose may be past the
// end of the table, where the logits are wider than the table is long.
func (k *embed) token(t int) int {
	id := k.step.tokens[t]
	if id < 0 {
		id = min(k.cache.chosen[-1-id], int32(k.table.rows-1))
	}
	return int(id)
}

// embedPosition is device.EmbedPosition.
type embedPosition struct {
	base
	out   block
	table *weights
}

func (k *embedPosition) run(s *step) {
	k.step = s
	k.pool.run(k, len(s.tokens), grain(k.out.Width))
}

func (k *embedPosition) do(worker, first, last int) {
	for t := first; t < last; t++ {
		k.table.decode(k.out.Row(t), 0, int(k.step.positions[t]), &k.lanes[worker].parts)
	}
}
