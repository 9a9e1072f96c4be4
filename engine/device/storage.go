package device

// Tensors is a Device whose memory the host can write and read by itself:
// buffers that outlive a step, for operations that are put together one by one.
// It is found by type assertion.
type Tensors interface {
	// NewStorage takes memory of a kind, of a multiple of 16 bytes, all zero.
	// Errors: ErrMemory; ErrUnsupported for a size that is none, or past
	// Info.MaxBinding; ErrLost.
	NewStorage(kind Kind, bytes int64) (Storage, error)
	// Slice returns rows [first, first+n) of a matrix of this device as the
	// Weight of a MatMul: attn_k of a stack of attn_q, attn_k and attn_v; or
	// elements of a vector as its Bias. It takes no memory, lives as long as the
	// whole does, and its Release does nothing. The product has the very numbers
	// that the whole has there. Errors: ErrUnsupported for experts, a first that
	// is no multiple of 4, and what is not there; ErrProgram for weights of
	// another device.
	Slice(w Weights, first, n int) (Weights, error)
}

// Storage is memory of a device that a Buffer of a Program can be placed in. It
// may be used from many goroutines.
type Storage interface {
	Bytes() int64
	// Write copies p to an offset, after the steps submitted so far and before
	// those that follow. It does not wait for them. Offsets and lengths are
	// multiples of 4 bytes, numbers little-endian. Errors: ErrStep for what is
	// outside of the storage, ErrClosed, ErrLost.
	Write(offset int64, p []byte) error
	// Read copies from an offset to p what the steps submitted so far leave
	// there, and waits for them. Its errors are those of Write.
	Read(offset int64, p []byte) error
	// Release gives the memory back, after the steps in flight and once the
	// Executables that are bound to it are released.
	Release()
}

// NewBound adds a buffer in a storage: row i of it begins at element
// offset + i*stride. All of it is the view that is returned.
func (p *Program) NewBound(s Storage, offset, stride int, outputs bool) View {
	p.Buffers = append(p.Buffers, Buffer{Width: stride, Outputs: outputs, Storage: s, Offset: offset})
	return View{Buffer: BufferID(len(p.Buffers) - 1), Width: stride}
}

// fits reports whether a storage has room for so many rows of the buffer.
func (b *Buffer) fits(rows int) bool {
	return 4*(int64(b.Offset)+int64(rows)*int64(b.Width)) <= b.Storage.Bytes()
}

// storages checks that the buffers of a step that are in storages have room for
// its rows.
func (p *Program) storages(s *Step) error {
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.Storage == nil {
			continue
		}
		rows := len(s.Tokens)
		if b.Outputs {
			rows = len(s.Outputs)
		} else if p.gathered(BufferID(i)) {
			rows = 1
		}
		if !b.fits(rows) {
			return p.misfit("Buffers[%d]: %d rows of %d elements from %d on, but the storage has %d", i, rows, b.Width, b.Offset, b.Storage.Bytes()/4)
		}
	}
	return nil
}

// gathered reports whether Gathers are all that use a buffer: its rows are then not
// those of a step.
func (p *Program) gathered(id BufferID) bool {
	found := false
	for _, op := range p.Ops {
		if o, ok := op.(*Gather); ok {
			found = found || o.X.Buffer == id
		}
	}
	if !found {
		return false
	}
	for _, op := range p.Ops {
		if _, ok := op.(*Gather); ok {
			continue
		}
		reads, writes := op.Views()
		for _, v := range append(reads, writes...) {
			if v.Buffer == id {
				return false
			}
		}
	}
	return true
}
