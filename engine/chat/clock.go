package chat

import (
	"fmt"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/engine/chat/jinja"
)

// clock is strftime_now(format) at a given time.
func clock(now time.Time) jinja.Function {
	return func(a jinja.Arguments) (any, error) {
		values, err := a.Bind("format")
		if err != nil {
			return nil, err
		}
		format, ok := values[0].(string)
		if !ok {
			return nil, fmt.Errorf("%w: strftime_now takes a format", jinja.ErrType)
		}
		return strftime(now, format), nil
	}
}

// strftime writes a time as Python does,
// https://docs.python.org/3/library/datetime.html#format-codes, in English. A "-" in a code takes
// its leading zeros or space off. Unknown codes stay as they are.
func strftime(t time.Time, format string) string {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'd': "02", 'e': "_2", 'm': "01",
		'y': "06", 'Y': "2006", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002",
		'z': "-0700", 'Z': "MST", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06",
		'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		code := format[i:]
		bare := strings.HasPrefix(code, "%-")
		if bare {
			code = "%" + code[2:]
		}
		if len(code) < 2 || code[0] != '%' {
			b.WriteByte(format[i])
			continue
		}
		text, known := "", true
		switch code[1] {
		case '%':
			text = "%"
		case 'n':
			text = "\n"
		case 'f': // Go has fractions only behind a point
			text = fmt.Sprintf("%06d", t.Nanosecond()/1000)
		default:
			var layout string
			layout, known = layouts[code[1]]
			text = t.Format(layout)
		}
		if !known {
			b.WriteByte(format[i])
			continue
		}
		if bare {
			if text = strings.TrimLeft(text, "0 "); text == "" {
				text = "0"
			}
			i++
		}
		b.WriteString(text)
		i++
	}
	return b.String()
}
