package store

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// Reference says where a model comes from: a quantisation in a repository of
// Hugging Face, or a URL.
type Reference struct {
	// Organization, Repository and Quant are for hf.co/ORG/REPO:QUANT. QUANT is
	// the end of a file's name, such as Q4_K_M, in any case of letters, or its path
	// without .gguf; "" stands for the only one there is.
	Organization, Repository, Quant string

	// URL is that of a file, without a fragment, or of the first shard of a
	// split; nil for Hugging Face.
	URL *url.URL
	// SHA256 is the hash that the file must have, 64 hexadecimal digits, from the
	// URL's fragment #sha256=...; "" for any.
	SHA256 string
}

const (
	hubName       = "hf.co/"
	maxReference  = 2048 // bytes
	maxHubSegment = 96   // bytes of an organization or a repository
)

var (
	hubSegment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	quantChars = regexp.MustCompile(`^[A-Za-z0-9._/+ -]*$`)
	hexSHA256  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ParseReference reads hf.co/ORG/REPO, hf.co/ORG/REPO:QUANT (huggingface.co/ and
// https:// before either are as good), or an http or https URL, which may end in
// #sha256=HEX. It fails with ErrReference.
func ParseReference(s string) (Reference, error) {
	bad := func(format string, args ...any) (Reference, error) {
		return Reference{}, fmt.Errorf("store: %.200q: %w: %s", s, ErrReference, fmt.Sprintf(format, args...))
	}
	if len(s) > maxReference {
		return bad("%d bytes, the limit is %d", len(s), maxReference)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return bad("it has characters that cannot be printed")
	}
	if name, ok := hubPath(s); ok {
		return parseHub(name, bad)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "":
		return bad("want hf.co/ORG/REPO:QUANT, or an http or https URL")
	case u.Hostname() == "":
		return bad("the URL has no host")
	case u.User != nil:
		return Reference{}, fmt.Errorf("store: %s: %w: a user or password in the URL would be kept in the store", u.Redacted(), ErrReference)
	}
	r := Reference{URL: u}
	if u.Fragment != "" {
		sum, ok := strings.CutPrefix(u.Fragment, "sha256=")
		if r.SHA256 = strings.ToLower(sum); !ok || !hexSHA256.MatchString(r.SHA256) {
			return bad("want #sha256= and 64 hexadecimal digits behind the URL")
		}
		if _, _, count, split := cutShard(u.Path); split && count > 1 {
			return bad("#sha256= is for one file, this is one of %d shards", count)
		}
	}
	u.Fragment, u.RawFragment = "", ""
	return r, nil
}

// hubPath returns what follows the name of the hub.
func hubPath(s string) (string, bool) {
	bare, web := strings.CutPrefix(s, "https://")
	for _, host := range []string{hubName, "huggingface.co/"} {
		// A longer path is that of a file.
		if name, ok := strings.CutPrefix(bare, host); ok && !(web && strings.Count(strings.TrimSuffix(name, "/"), "/") > 1) {
			return strings.TrimSuffix(name, "/"), true
		}
	}
	return "", false
}

func parseHub(name string, bad func(string, ...any) (Reference, error)) (Reference, error) {
	name, quant, colon := strings.Cut(name, ":")
	organization, repository, ok := strings.Cut(name, "/")
	if !ok {
		return bad("want hf.co/ORG/REPO:QUANT")
	}
	for _, segment := range []string{organization, repository} {
		if len(segment) > maxHubSegment || !hubSegment.MatchString(segment) || strings.Contains(segment, "..") {
			return bad("%q is no name of an organization or a repository", segment)
		}
	}
	if colon && !validQuant(quant) {
		return bad("%q is no quantisation", quant)
	}
	return Reference{Organization: organization, Repository: repository, Quant: quant}, nil
}

// validQuant reports whether quant may be the end of a name, or a path.
func validQuant(quant string) bool {
	return quant != "" && quantChars.MatchString(quant) && cleanPath(quant)
}

// cleanPath reports whether p is relative and has nothing to go up or stay with.
func cleanPath(p string) bool {
	return p != "" && p != "." && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../")
}

// String is the name that the model has in the store.
func (r Reference) String() string {
	switch {
	case r.URL != nil:
		return r.URL.String()
	case r.Quant == "":
		return hubName + r.Organization + "/" + r.Repository
	}
	return hubName + r.Organization + "/" + r.Repository + ":" + r.Quant
}

var shardName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})\.gguf$`)

// cutShard takes the name of a shard apart, as gguf-split gives it: the name before
// the number, the number from 1, and how many there are.
func cutShard(name string) (base string, no, count int, ok bool) {
	m := shardName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, 0, false
	}
	// Five digits are numbers.
	_, _ = fmt.Sscanf(m[2]+" "+m[3], "%d %d", &no, &count)
	return m[1], no, count, no >= 1 && no <= count
}

// joinShard is the name that cutShard takes apart.
func joinShard(base string, no, count int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", base, no, count)
}
