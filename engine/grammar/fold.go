package grammar

import "unicode"

// fold returns a character, with all that differ from it in case alone if that is
// wanted.
func fold(c rune, anyCase bool) class {
	out := class{{c, c}}
	if anyCase {
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			out = append(out, span{f, f})
		}
	}
	return normalize(out)
}
