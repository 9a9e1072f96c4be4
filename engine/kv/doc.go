// Package kv hands out the pages of a key and value cache, as PagedAttention
// does (Kwon et al. 2023, https://arxiv.org/abs/2309.06180).
//
// A sequence is a [Table]: the pages of its tokens in order, its block table.
// Tables that were forked share pages, which count those who hold them; one
// that writes to a shared page gets a copy of its own first. Full pages stay as
// they are until the last holder lets go of them.
//
// The package moves numbers only. Keys and values stay on the device, which
// copies a page when it is asked to.
package kv
