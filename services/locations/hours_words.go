package locations

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// wordKind tells what a word of an hour text says.
type wordKind int

const (
	wordGap     wordKind = iota // separators, and words that change nothing
	wordAlways                  // around the clock
	wordHours                   // 09:00-18:00
	wordDays                    // 평일, 월-금, Sat
	wordHoliday                 // 공휴일
	wordClosed                  // 휴무
	wordBreak                   // 점심시간
	wordWithin                  // 포함: what stands before it makes no difference
)

// hourWord is one word with what it says: days, or the minutes of a day.
type hourWord struct {
	kind          wordKind
	days          weekdays
	opens, closes int
}

const (
	koreanDay = `[월화수목금토일]`
	latinDay  = `mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|` +
		`mo|tu|we|th|fr|sa|su`
	clock = `(오전|오후|am|pm)?\s*(\d{1,2})(?:\s*:\s*(\d{2})|\s*(시)(?:\s*(\d{1,2})\s*분|\s*(반))?|(\d{2}))?\s*(am|pm)?`
)

// hourPatterns are tried in their order at each place of a text.
var hourPatterns = []struct {
	pattern *regexp.Regexp
	kind    wordKind
	days    weekdays
}{
	{at(`24\s*시간|24/7|상시|항상`), wordAlways, noDays},
	{at(clock + `\s*-\s*(?:익일|다음\s*날|명일|당일)?\s*` + clock), wordHours, noDays},
	{at(`매일|연중\s*무휴|every\s?day|daily`), wordDays, allDays},
	{at(`평일|주중|week\s?days?\b`), wordDays, monToFri},
	{at(`주말|week\s?ends?\b`), wordDays, weekend},
	{at(`(?:법정\s*)?공휴일|국경일|명절|휴일|holidays?\b|ph\b`), wordHoliday, noDays},
	{at(`(` + koreanDay + `)(?:요일)?\s*-\s*(` + koreanDay + `)(?:요일)?`), wordDays, noDays},
	{at(`(` + latinDay + `)\.?\s*-\s*(` + latinDay + `)\b\.?`), wordDays, noDays},
	{at(`(` + koreanDay + `)(?:요일)?`), wordDays, noDays},
	{at(`(` + latinDay + `)\b\.?`), wordDays, noDays},
	{at(`(?:정기\s*)?휴[무관점업](?:일)?|미운영|제외|closed\b|off\b`), wordClosed, noDays},
	{at(`점심\s*(?:시간)?|중식\s*(?:시간)?|휴게\s*(?:시간)?|break\s*(?:time)?|lunch\s*(?:break)?`), wordBreak, noDays},
	{at(`포함`), wordWithin, noDays},
	{at(`[\s,·./;:|()\[\]&+]+|및|그리고|and\b|매주|시간|까지|은|는|` +
		`(?:운영|이용|개방|배출|수거)(?:요일|일)?\s*(?:가능)?\s*(?:시간)?`), wordGap, noDays},
}

func at(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)`) }

// signs makes one dash of many, and commas of middle dots; NFKC turns Korea's own dot into U+119E.
var signs = strings.NewReplacer("~", "-", "∼", "-", "〜", "-", "–", "-", "—", "-", "−", "-", "부터", "-", "에서", "-",
	"\u119e", ",", "・", ",", "‧", ",")

// hourWords splits a text; false says that some of it is not understood.
func hourWords(text string) ([]hourWord, bool) {
	text = signs.Replace(strings.ToLower(norm.NFKC.String(text)))
	var words []hourWord
	for text != "" {
		word, length := nextHourWord(text)
		if length == 0 {
			return nil, false
		}
		if word.kind != wordGap {
			words = append(words, word)
		}
		text = text[length:]
	}
	return words, true
}

// nextHourWord reads the word that text begins with; its length is 0 where there is none.
func nextHourWord(text string) (hourWord, int) {
	for _, p := range hourPatterns {
		parts := p.pattern.FindStringSubmatch(text)
		if parts == nil {
			continue
		}
		word := hourWord{kind: p.kind, days: p.days}
		ok := true
		switch {
		case p.kind == wordHours:
			word.opens, word.closes, ok = clockRange(parts[1:9], parts[9:17])
		case p.kind == wordDays && p.days == noDays:
			if cutsWord(parts[len(parts)-1], parts[0], text) {
				continue
			}
			word.days = daysBetween(dayOf(parts[1]), dayOf(parts[len(parts)-1]))
		}
		if !ok {
			return hourWord{}, 0
		}
		return word, len(parts[0])
	}
	return hourWord{}, 0
}

// cutsWord tells whether a Korean day is the beginning of another word, as 수 is of 수거.
func cutsWord(name, match, text string) bool {
	if !strings.HasSuffix(match, name) { // 요일 stands behind it
		return false
	}
	next, _ := utf8.DecodeRuneInString(text[len(match):])
	return unicode.Is(unicode.Hangul, next) && !strings.ContainsRune("월화수목금토일휴은는및", next)
}

// dayOf knows the days by how they begin.
func dayOf(word string) int {
	for d, name := range []string{"월", "화", "수", "목", "금", "토", "일"} {
		if word == name {
			return d
		}
	}
	return strings.Index("mo tu we th fr sa su", word[:2]) / 3
}

// clockRange reads two times; the later one may be the next day's, beyond 24:00.
func clockRange(from, to []string) (opens, closes int, ok bool) {
	if bare(from) && bare(to) {
		return 0, 0, false // 1-3 may be anything
	}
	opens, okFrom := minuteOf(from, half(from))
	closes, okTo := minuteOf(to, half(to))
	if !okFrom || !okTo || opens > day {
		return 0, 0, false
	}
	if half(from) != "" && half(to) == "" && closes <= day/2 {
		if closes, okTo = minuteOf(to, half(from)); !okTo || closes <= opens {
			return 0, 0, false // 오전 9시-6시 says too little
		}
	}
	switch {
	case opens == closes && opens != 0:
		return 0, 0, false
	case closes <= opens:
		closes += day
	}
	return opens, closes, true
}

// The parts of a clock's match are: half of the day, hour, minutes after a colon, 시, its minutes, its
// half, minutes without a sign, half of the day in English. A bare one is an hour alone.
func bare(c []string) bool {
	return half(c) == "" && c[2]+c[3]+c[6] == ""
}

func half(c []string) string {
	switch c[0] + c[7] {
	case "오전", "am":
		return "am"
	case "오후", "pm":
		return "pm"
	}
	return ""
}

// latest is what closing times of places that are open through the night go up to: 30:00.
const latest = day + 6*60

func minuteOf(c []string, half string) (int, bool) {
	hour, _ := strconv.Atoi(c[1]) // digits
	minute, _ := strconv.Atoi(c[2] + c[4] + c[6])
	if c[5] != "" {
		minute = 30
	}
	switch {
	case half != "" && (hour == 0 || hour > 12):
		return 0, false
	case half == "am" && hour == 12:
		hour = 0
	case half == "pm" && hour < 12:
		hour += 12
	}
	at := hour*60 + minute
	return at, minute < 60 && at <= latest
}
