package backup

import "fmt"

// Quarters tells of each quarter of a transfer once, e.g. "12 of 24 MiB": what is short stays quiet.
func Quarters(tell func(text string)) func(done, total int64) {
	const quarters, least = 4, 16 << 20
	told := int64(0)
	return func(done, total int64) {
		if total < least {
			return
		}
		if now := done * quarters / total; now > told {
			told = now
			tell(fmt.Sprintf("%d of %d MiB", done>>20, total>>20))
		}
	}
}
