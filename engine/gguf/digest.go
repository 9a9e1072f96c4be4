package gguf

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// digestBytes is how much of a source is hashed at a time.
const digestBytes = 4 << 20

// Digest returns a hash of all that is in the file, or in the shards of a split in
// order: files with the same one have the same bytes. It is the SHA-256 of the
// sizes of the sources, 8 bytes each, and of the SHA-256s of their pieces of 4 MiB,
// which are hashed on all cores. Errors: ctx.Err(), and those of a source.
func (f *File) Digest(ctx context.Context) ([sha256.Size]byte, error) {
	whole := sha256.New()
	for i, src := range f.sources {
		pieces, err := digestPieces(ctx, src)
		if err != nil {
			return [sha256.Size]byte{}, fmt.Errorf("gguf: digest: source %d of %d: %w", i+1, len(f.sources), err)
		}
		whole.Write(binary.LittleEndian.AppendUint64(nil, uint64(src.Size())))
		for _, p := range pieces {
			whole.Write(p[:])
		}
	}
	return [sha256.Size]byte(whole.Sum(nil)), nil
}

// digestPieces hashes the pieces of a source, each in the hands of one goroutine.
func digestPieces(ctx context.Context, src Source) ([][sha256.Size]byte, error) {
	size := src.Size()
	sums := make([][sha256.Size]byte, (size+digestBytes-1)/digestBytes)
	workers := min(runtime.GOMAXPROCS(0), len(sums))
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			buffer := make([]byte, min(digestBytes, size))
			for i := w; i < len(sums) && errs[w] == nil; i += workers {
				off := int64(i) * digestBytes
				piece := buffer[:min(digestBytes, size-off)]
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				n, err := src.ReadAt(piece, off)
				if n < len(piece) {
					if err == nil || err == io.EOF {
						err = io.ErrUnexpectedEOF
					}
					errs[w] = fmt.Errorf("%d bytes at byte %d: %w", len(piece), off, err)
					return
				}
				sums[i] = sha256.Sum256(piece)
			}
		})
	}
	group.Wait()
	return sums, errors.Join(errs...)
}
