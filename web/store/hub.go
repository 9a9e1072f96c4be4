package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// defaultHub is where hf.co/ORG/REPO is, unless HF_ENDPOINT names another.
const defaultHub = "https://huggingface.co"

// Limits of a listing.
const (
	maxListingBytes = 8 << 20 // of a page
	maxListingPages = 100
	maxListed       = 100_000 // files
)

// parseHubURL reads the base of a hub's addresses.
func parseHubURL(s string) (*url.URL, error) {
	if s == "" {
		s = defaultHub
	}
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: %.200q is no address of a hub", ErrReference, s)
	}
	return u, nil
}

// hub is the Hugging Face Hub, or what speaks its API:
// https://huggingface.co/docs/hub/api.
type hub struct {
	*client
	base *url.URL
}

// listed is a file of a repository.
type listed struct {
	Type string `json:"type"` // "file" or "directory"
	Path string `json:"path"`
	Size int64  `json:"size"`
	// LFS is for files that are kept apart, as all large ones are.
	LFS *struct {
		OID  string `json:"oid"` // the SHA-256
		Size int64  `json:"size"`
	} `json:"lfs"`
}

// sources are the files of the model that r names, in order, and the reference that
// names it in full.
func (h *hub) sources(ctx context.Context, r Reference) ([]source, Reference, error) {
	files, err := h.list(ctx, r)
	if err != nil {
		return nil, r, err
	}
	chosen, err := choose(r, variants(files))
	if err != nil {
		return nil, r, err
	}
	r.Quant = chosen.label
	var sources []source
	for _, f := range chosen.files {
		s := source{name: path.Base(f.Path), url: h.address(r, f.Path), size: f.Size}
		if f.LFS != nil {
			if s.sha256, s.size = strings.ToLower(f.LFS.OID), f.LFS.Size; !hexSHA256.MatchString(s.sha256) {
				return nil, r, fmt.Errorf("%s: %w: SHA-256 %.80q of %s", r, ErrProtocol, f.LFS.OID, f.Path)
			}
		}
		sources = append(sources, s)
	}
	return sources, r, nil
}

// address is where the main branch's file of a path is. It need not be pinned to a
// commit: should the branch move on between the listing and the file, the hash of
// the listing says so.
func (h *hub) address(r Reference, file string) string {
	return h.base.JoinPath(r.Organization, r.Repository, "resolve", "main", escaped(file)).String()
}

// escaped is a path as JoinPath takes it.
func escaped(file string) string {
	segments := strings.Split(file, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// list returns the GGUF files of a repository.
func (h *hub) list(ctx context.Context, r Reference) ([]listed, error) {
	address := h.base.JoinPath("api", "models", r.Organization, r.Repository, "tree", "main").String() + "?recursive=true"
	var files []listed
	for range maxListingPages {
		page, next, err := h.page(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r, err)
		}
		for _, f := range page {
			if f.model() {
				if !cleanPath(f.Path) || f.Size < 0 {
					return nil, fmt.Errorf("%s: %w: a file %.200q of %d bytes", address, ErrProtocol, f.Path, f.Size)
				}
				files = append(files, f)
			}
		}
		if len(files) > maxListed {
			return nil, fmt.Errorf("%s: %w: over %d files", address, ErrProtocol, maxListed)
		}
		if next == "" {
			return files, nil
		}
		address = next
	}
	return nil, fmt.Errorf("%s: %w: over %d pages", address, ErrProtocol, maxListingPages)
}

// page reads one page of a listing, and returns the address of the next.
func (h *hub) page(ctx context.Context, address string) (files []listed, next string, err error) {
	err = h.persist(ctx, address, func() (bool, error) {
		resp, err := h.get(ctx, address, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxListingBytes+1))
		if err != nil {
			return false, err
		}
		if len(body) > maxListingBytes {
			return false, fmt.Errorf("%w: a listing over %d bytes", ErrProtocol, maxListingBytes)
		}
		files = nil
		if err := json.Unmarshal(body, &files); err != nil {
			return false, fmt.Errorf("%w: no listing: %w", ErrProtocol, err)
		}
		next, err = nextPage(resp)
		return false, err
	})
	return files, next, err
}

var linkNext = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// nextPage reads the header Link (RFC 8288) of a page.
func nextPage(resp *http.Response) (string, error) {
	m := linkNext.FindStringSubmatch(strings.Join(resp.Header.Values("Link"), ", "))
	if m == nil {
		return "", nil
	}
	u, err := resp.Request.URL.Parse(m[1])
	if err != nil || u.Host != resp.Request.URL.Host || u.Scheme != resp.Request.URL.Scheme {
		return "", fmt.Errorf("%w: the next page is at %.200q", ErrProtocol, m[1])
	}
	return u.String(), nil
}

// model reports whether a file is a model or a shard of one. What goes with models,
// projectors of images and importance matrices, is none.
func (l *listed) model() bool {
	name := strings.ToLower(path.Base(l.Path))
	return l.Type == "file" && strings.HasSuffix(name, ".gguf") && !strings.Contains(name, "mmproj") && !strings.Contains(name, "imatrix")
}

// variant is a model of a repository: a file, or the shards of a split.
type variant struct {
	stem  string // the path without .gguf and without a shard's number
	label string // the quantisation, or the stem's name where it shows none
	files []listed
	count int // of shards that there should be
}

// quantOf finds what looks like a quantisation in a name: Q4_K_M, UD-Q4_K_XL,
// IQ2_XXS, TQ1_0, MXFP4, F16, BF16.
var quantOf = regexp.MustCompile(`(?i)(?:^|[-._])((?:UD-)?(?:I?Q[1-8]|TQ[12]|MXFP[468]|NVFP4|FP?(?:8|16|32)|BF16)(?:_[0-9A-Z]+)*)\b`)

// variants are the models that files make up, in the order of their names.
func variants(files []listed) []variant {
	byStem := map[string]*variant{}
	for _, f := range files {
		stem, _, count, split := cutShard(f.Path)
		if !split {
			stem, count = f.Path[:len(f.Path)-len(".gguf")], 1
		}
		// Shards of another count are of another split.
		key := fmt.Sprint(stem, "\x00", count, split)
		v := byStem[key]
		if v == nil {
			v = &variant{stem: stem, label: label(stem), count: count}
			byStem[key] = v
		}
		v.files = append(v.files, f)
	}
	var all []variant
	for _, v := range byStem {
		slices.SortFunc(v.files, func(a, b listed) int { return strings.Compare(a.Path, b.Path) })
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b variant) int {
		if c := strings.Compare(a.stem, b.stem); c != 0 {
			return c
		}
		return a.count - b.count
	})
	// One label is for one: who shares it has its path.
	seen := map[string]int{}
	for _, v := range all {
		seen[strings.ToLower(v.label)]++
	}
	for i := range all {
		if seen[strings.ToLower(all[i].label)] > 1 {
			all[i].label = all[i].stem
		}
	}
	return all
}

// label is the last quantisation in a name, or else the name.
func label(stem string) string {
	name := path.Base(stem)
	if all := quantOf.FindAllStringSubmatch(name, -1); len(all) > 0 {
		return all[len(all)-1][1]
	}
	return name
}

// choose returns the variant that r means: by its label, its path or its path's
// end.
func choose(r Reference, all []variant) (variant, error) {
	var found []variant
	var labels []string
	for _, v := range all {
		labels = append(labels, v.label)
		if r.Quant == "" || matches(v, r.Quant) {
			found = append(found, v)
		}
	}
	if len(all) == 0 {
		return variant{}, fmt.Errorf("%s: %w: the repository has no GGUF files", r, ErrNoFile)
	}
	switch len(found) {
	case 0:
		return variant{}, &choiceError{r.String(), ErrNoFile, labels}
	case 1:
	default:
		labels = nil
		for _, v := range found {
			labels = append(labels, v.label)
		}
		return variant{}, &choiceError{r.String(), ErrAmbiguous, labels}
	}
	v := found[0]
	if !validQuant(v.label) {
		return variant{}, fmt.Errorf("%s: %w: a file %.200q", r, ErrProtocol, v.files[0].Path)
	}
	for i := range v.count {
		if i >= len(v.files) || v.count > 1 && v.files[i].Path != joinShard(v.stem, i+1, v.count) {
			return variant{}, fmt.Errorf("%s: %w: shard %d of %d is missing in the repository", r, ErrNoFile, i+1, v.count)
		}
	}
	return v, nil
}

// matches reports whether a variant is what a quantisation names.
func matches(v variant, quant string) bool {
	stem, quant := strings.ToLower(v.stem), strings.TrimSuffix(strings.ToLower(quant), ".gguf")
	return quant == strings.ToLower(v.label) || quant == stem || quant == strings.ToLower(label(v.stem)) || quant == path.Base(stem)
}
