package model

import (
	"errors"
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/lora"
)

// adapted is a tensor that an adapter can be of: a part of a matrix, which has one
// bank for all of its parts.
type adapted struct {
	site, part int
	refused    string // why there is no bank; "": there can be one
}

// sites finds the matrices that take adapters, and where each tensor is in them.
func (t *tensors) sites() (sites []*matrix, of map[string]adapted) {
	of = map[string]adapted{}
	add := func(p product) {
		for _, m := range p {
			refused := ""
			for _, x := range m.tensors {
				if x.Rows()%4 != 0 || m.columns%4 != 0 {
					refused = fmt.Sprintf("%q has %d rows of %d, and banks take multiples of 4", x.Name, x.Rows(), m.columns)
				}
			}
			for part, x := range m.tensors {
				of[x.Name] = adapted{len(sites), part, refused}
			}
			sites = append(sites, m)
		}
	}
	for i := range t.blocks {
		l := &t.blocks[i]
		add(l.qkv)
		add(l.attnOutput)
		if e := l.experts; e != nil {
			add(e.router)
			for _, m := range []*matrix{e.gate, e.up, e.down} {
				for _, x := range m.tensors {
					of[x.Name] = adapted{refused: "the matrices of experts take no adapter"}
				}
			}
			continue
		}
		add(l.gateUp)
		add(l.down)
	}
	if len(t.output) > 0 && t.output[0] != t.embedding {
		add(t.output)
	}
	of[t.embedding.tensors[0].Name] = adapted{refused: "the embeddings of tokens take no adapter"}
	return sites, of
}

// parts returns n_out of each tensor of a matrix.
func (m *matrix) parts() []int {
	var rows []int
	for _, t := range m.tensors {
		rows = append(rows, t.Rows())
	}
	return rows
}

// AdapterTarget returns the model as adapters are held to it.
func (m *Model) AdapterTarget() lora.Target {
	sites, of := m.tensors.sites()
	return lora.Target{
		Architecture: m.config.Architecture, HeadCount: m.config.HeadCount, HeadCountKV: m.config.HeadCountKV,
		Matrix: func(name string) (rows, columns int, err error) {
			at, ok := of[name]
			switch {
			case !ok && strings.HasPrefix(name, "output.") && m.tensors.output != nil:
				return 0, 0, fmt.Errorf("%w: the output is the embeddings of tokens, which take no adapter", lora.ErrUnsupported)
			case !ok:
				return 0, 0, fmt.Errorf("%w: it has no matrix %q", lora.ErrModel, name)
			case at.refused != "":
				return 0, 0, fmt.Errorf("%w: %s", lora.ErrUnsupported, at.refused)
			}
			return sites[at.site].tensors[at.part].Rows(), sites[at.site].columns, nil
		},
	}
}

// Banks are the places of a model's adapters: for each matrix that some adapter
// changes, one of device.Bank, all with the same slots. A Program that is made with
// them has rows with adapters.
type Banks struct {
	slots int
	ranks []int          // [sites] of the banks; 0: there is none
	banks []*device.Bank // [sites], nil where there is none
	of    map[*matrix]*device.Bank
}

// plan is what banks are to be.
type bankPlan struct {
	slots int
	ranks []int // [sites], multiples of 4
}

// covers reports whether banks of the plan have room for the ranks.
func (p *bankPlan) covers(ranks []int) bool {
	for i, r := range ranks {
		if r > p.ranks[i] {
			return false
		}
	}
	return true
}

// bank returns the bank of a site without its memory.
func (p *bankPlan) bank(sites []*matrix, site int) *device.Bank {
	return &device.Bank{Slots: p.slots, Rank: p.ranks[site], Columns: sites[site].columns, Parts: sites[site].parts()}
}

// bytes returns the memory of the banks.
func (p *bankPlan) bytes(sites []*matrix) int64 {
	total := int64(0)
	for i, rank := range p.ranks {
		if rank > 0 {
			down, up := p.bank(sites, i).SlotBytes()
			total += int64(p.slots) * (down + up)
		}
	}
	return total
}

// largest returns the most bytes that one binding has to reach.
func (p *bankPlan) largest(sites []*matrix) int64 {
	most := int64(0)
	for i, rank := range p.ranks {
		if rank > 0 {
			down, up := p.bank(sites, i).SlotBytes()
			most = max(most, int64(p.slots)*max(down, up))
		}
	}
	return most
}

// errNoStorage is a device that adapters cannot be on.
var errNoStorage = errors.New("the device has no memory that the host can write")

// newBanks takes the memory of a plan, all zero.
func newBanks(d device.Device, sites []*matrix, p bankPlan) (*Banks, error) {
	tensors, ok := d.(device.Tensors)
	if !ok {
		return nil, fmt.Errorf("%w: %w", errNoStorage, device.ErrUnsupported)
	}
	b := &Banks{slots: p.slots, ranks: p.ranks, banks: make([]*device.Bank, len(sites)), of: map[*matrix]*device.Bank{}}
	for i, rank := range p.ranks {
		if rank == 0 {
			continue
		}
		x := p.bank(sites, i)
		down, up := x.SlotBytes()
		var err error
		if x.Down, err = tensors.NewStorage(device.KindAdapters, int64(p.slots)*down); err == nil {
			if x.Up, err = tensors.NewStorage(device.KindAdapters, int64(p.slots)*up); err != nil {
				x.Down.Release()
			}
		}
		if err != nil {
			b.release()
			return nil, err
		}
		b.banks[i] = x
		b.of[sites[i]] = x
	}
	return b, nil
}

// release gives the memory back, once no program has it.
func (b *Banks) release() {
	for _, x := range b.banks {
		if x != nil {
			x.Down.Release()
			x.Up.Release()
		}
	}
}

// bank returns the bank of a matrix, nil where no adapter changes it.
func (b *Banks) bank(m *matrix) *device.Bank {
	if b == nil {
		return nil
	}
	return b.of[m]
}

// Slots returns how many adapters have room.
func (b *Banks) Slots() int { return b.slots }
