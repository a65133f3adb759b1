package attack

import (
	"encoding/json"
	"fmt"
	"strings"
)

// texts are put into every parameter and every property.
var texts = []string{
	"", " ", "null", "undefined", "NaN", "-1", "0", "1e999", "9223372036854775808", "0x1F", "１２３", "true",
	"' OR '1'='1", "'; DROP TABLE analyses; --", `") OR 1=1 --`, "'||pg_sleep(20)||'",
	"1; SELECT pg_sleep(20)", "%", "_%_", `\`, `\'`, "$1", "{{7*7}}", "${jndi:ldap://127.0.0.1/a}",
	"$(sleep 20)",
	"../../../../etc/passwd", "..%2f..%2f", "/etc/passwd", `..\..\windows`, ".", "..", "//127.0.0.1/",
	"file:///etc/passwd", "http://169.254.169.254/latest/meta-data/", "javascript:alert(1)",
	"<script>alert(1)</script>", "\x00", "a\x00b", "a\r\nX-Injected: 1", "\t\v\f", "\x7f\x1b[31m",
	"\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", // not UTF-8
	"𝒳😀👩‍👩‍👧‍👦", "ก็็็็็็็", "\u202egpj.exe", "\ufeff", "\u2028", "İıſK", "한글 ㅎㄱ", "\ufffd", "\U0010ffff",
	"*", "(", "[a-z", "(a+)+$", ",", "a,,b", "+", "&a=b", "#", ";", ":", "|", "!", "&", "<->", `"`, "'",
	"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
	"9999-12-31T23:59:59Z", "0000-00-00", "MC4wMDAwMDAwMA", "eyJhIjoxfQ", // page tokens, perhaps
	strings.Repeat("가", 300), strings.Repeat("A", 3000), strings.Repeat("(", 500), strings.Repeat("' ", 200),
}

// values are JSON of every type, put into every property.
var values = []string{
	"null", "true", "0", "-1", "1.5", "1e400", "-1e400", "1e-400", "9223372036854775807", "9223372036854775808",
	"123456789012345678901234567890", "[]", "{}", "[[]]", "[null]", `["a","b"]`, `{"$ne":null}`,
	`"\ud800"`, `"\u0000"`, `"` + strings.Repeat("가", 10000) + `"`,
	"[" + strings.Repeat("1,", 5000) + "1]",
	strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
	strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
}

var rawBodies = map[string]string{
	"no body": "", "spaces": "   ", "null": "null", "true": "true", "number": "1", "text": `"a"`, "array": "[]",
	"array of objects": "[{}]", "empty object": "{}", "cut": `{"a":`, "two": "{}{}", "garbage": "\x00\x01\x02",
	"not UTF-8": "{\"a\":\"\xff\"}", "BOM": "\ufeff{}", "UTF-16": "\xff\xfe{\x00}\x00", "comment": "/* a */{}",
	"XML":  `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`,
	"form": "a=1&b=2", "prototype": `{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}}}`,
	"deep":        strings.Repeat("[", 30_000),
	"deep, whole": strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000),
	"large":       `{"a":"` + strings.Repeat("a", 200<<10) + `"}`,
	"huge":        `{"a":"` + strings.Repeat("a", 2<<20) + `"}`,
	"large space": strings.Repeat(" ", 100<<10) + "{}",
	"many names":  "{" + strings.Repeat(`"a":1,`, 8_000) + `"b":1}`,
}

var rawSegments = []string{
	"%00", "%", "%zz", "%ff%fe", "%c0%ae%c0%ae", "..", "../..", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2fmetrics",
	"%5c..%5c", ";a=b", "%0d%0aX-Injected:%201", "a%20b", "//", "*", "a/b/c", "%25%30%30", "~", "%f0%9f%98%80",
	strings.Repeat("a/", 500),
}

var rawQueries = []string{
	"%", "%zz=1", "=", "&&&&", "a=%00", "a=%ff", "a;b", "a[b][c]=1", "a=1&a=2", "?", "#",
	strings.Repeat("a=1&", 2000), "a=" + strings.Repeat("%41", 4000),
}

var oddHeaders = [][2]string{
	{"Accept", "application/xml"},
	{"Accept", "\xff"},
	{"Accept-Language", strings.Repeat("ko,", 2000)},
	{"Accept-Encoding", "gzip;q=\x80"},
	{"Content-Encoding", "gzip"},
	{"Content-Type", "application/json; charset=utf-16"},
	{"Cookie", strings.Repeat("a=b; ", 2000)},
	{"X-Forwarded-For", "127.0.0.1, ' OR 1=1 --"},
	{"X-Forwarded-For", strings.Repeat("1.2.3.4, ", 1000)},
	{"X-Forwarded-For", "::ffff:999.1.1.1"},
	{"X-Real-Ip", "127.0.0.1"},
	{"Forwarded", `for="[::1]:99999"`},
	{"X-Forwarded-Host", "evil.example"},
	{"X-Forwarded-Proto", "gopher"},
	{"X-Request-Id", "a\tb"},
	{"X-Request-Id", strings.Repeat("a", 9000)},
	{"X-Request-Id", "<script>"},
	{"Traceparent", "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff"},
	{"Traceparent", "\xff"},
	{"Baggage", strings.Repeat("a=b,", 3000)},
	{"Range", "bytes=0-,-1,99999999999999999999-"},
	{"If-None-Match", "*"},
	{"If-None-Match", `W/"` + strings.Repeat("a", 5000)},
	{"If-Match", "*"},
	{"If-Modified-Since", "yesterday"},
	{"Prefer", "wait=-1"},
	{"Prefer", "wait=99999999999999999999"},
	{"Prefer", "respond-async, wait"},
	{"Expect", "200-ok"},
	{"Upgrade", "websocket"},
	{"Te", "trailers, \x80"},
	{"Origin", "null"},
	{"Origin", "https://evil.example"},
	{"Referer", "\xff\xfe"},
	{"User-Agent", ""},
	{"User-Agent", strings.Repeat("\xf0\x9f", 2000)},
	{"User-Agent", "' OR 1=1 --\xc3\x28"},
	{"X-Http-Method-Override", "DELETE"},
	{"Idempotency-Key", strings.Repeat("가", 300)},
	{"Access-Control-Request-Method", "\xff"},
}

var oddMethods = []string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get",
	strings.Repeat("A", 2000),
}

var oddMedia = []string{
	"", "text/plain", "application/xml", "application/json;", "application/json; charset", "application/\xff",
	"application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/merge-patch+json",
	strings.Repeat("a", 5000) + "/json",
}

// quote writes a text as JSON without mending what is not UTF-8, as encoding/json would.
func quote(text string) json.RawMessage {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return json.RawMessage(b.String())
}
