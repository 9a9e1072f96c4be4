package cpu

import "sync"

// arena gives memory for packed weights out of pieces of some size, which are in
// huge pages where the system has them: products read weights faster than an
// address of each small page can be looked up. A piece is garbage once all that
// was given out of it is.
type arena struct {
	mu   sync.Mutex
	rest []byte // of the last piece
}

const (
	hugePage   = 2 << 20
	arenaPiece = 16 * hugePage
	arenaAlign = 64
)

// make returns n bytes of zeros.
func (a *arena) make(n int64) []byte {
	if n > arenaPiece/2 {
		piece := make([]byte, n)
		adviseHuge(piece)
		return piece
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > int64(len(a.rest)) {
		a.rest = make([]byte, arenaPiece)
		adviseHuge(a.rest)
	}
	part := a.rest[:n:n]
	a.rest = a.rest[min(int64(len(a.rest)), (n+arenaAlign-1)&^(arenaAlign-1)):]
	return part
}
