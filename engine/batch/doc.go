// Package batch puts many sequences into the steps of one device: continuous
// batching (Yu et al., "Orca", OSDI 2022) over paged keys and values (Kwon et al.,
// "PagedAttention", SOSP 2023).
//
// A [Scheduler] has the device for itself. Each step takes one row of every text
// that is being written, then chunks of prompts as far as they keep the step short.
// A [Run] is a [Request] on its way: it waits in its tenant's queue, is taken in
// when there are pages for it, gives them back when others come first, and goes on
// later as if nothing had been. Tokens are drawn by a counter, by the seed and the
// place in the text: a text is the same alone, in a batch, after a preemption and
// with drafts.
//
// Nothing here waits for whoever takes the tokens: a run that nobody takes from
// rests, the others go on.
package batch
