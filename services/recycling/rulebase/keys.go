package rulebase

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The search compares words as they are typed on a Korean keyboard: 페트병 is "vpxmqud". So a wrong
// or missing stroke costs one letter and not a syllable, a syllable that is not finished yet is the
// beginning of its word, and the database needs no locale that knows Hangul to find trigrams.
// Shifted keys count as plain ones: ㄲ is ㄱ, and ㅒ is ㅐ.

// The keys of the first, middle and last sounds of a syllable, in Unicode's order.
var (
	firstKeys  = strings.Fields("r r s e e f a q q t t d w w c z x v g")
	middleKeys = strings.Fields("k o i o j p u p h hk ho hl y n nj np nl b m ml l")
	lastKeys   = append([]string{""}, strings.Fields(
		"r r rt s sw sg e f fr fa fq ft fx fv fg a q qt t t d w c z x v g")...)
	// consonantKeys are of the letters ㄱ to ㅎ that stand alone.
	consonantKeys = strings.Fields(
		"r r rt s sw sg e e f fr fa fq ft fx fv fg a q q qt t t d w w c z x v g")
)

const (
	firstSyllable, lastSyllable   = '가', '힣'
	firstConsonant, lastConsonant = 'ㄱ', 'ㅎ'
	firstVowel, lastVowel         = 'ㅏ', 'ㅣ'
)

// Keys are the strokes of a word; what is neither Hangul nor ASCII letter or digit is left out.
func Keys(word string) string {
	var keys strings.Builder
	for _, r := range norm.NFC.String(strings.ToLower(word)) {
		switch {
		case r >= firstSyllable && r <= lastSyllable:
			first, middle, last := sounds(r)
			keys.WriteString(firstKeys[first] + middleKeys[middle] + lastKeys[last])
		case isConsonant(r):
			keys.WriteString(consonantKeys[r-firstConsonant])
		case r >= firstVowel && r <= lastVowel:
			keys.WriteString(middleKeys[r-firstVowel])
		case r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			keys.WriteRune(r)
		}
	}
	return keys.String()
}

// Initials are the strokes of the first consonants of a word's syllables: 페트병 is "vxq".
func Initials(word string) string {
	var keys strings.Builder
	for _, r := range norm.NFC.String(word) {
		if r >= firstSyllable && r <= lastSyllable {
			first, _, _ := sounds(r)
			keys.WriteString(firstKeys[first])
		}
	}
	return keys.String()
}

func sounds(syllable rune) (first, middle, last int) {
	n := int(syllable - firstSyllable)
	return n / (len(middleKeys) * len(lastKeys)), n / len(lastKeys) % len(middleKeys), n % len(lastKeys)
}

func isConsonant(r rune) bool { return r >= firstConsonant && r <= lastConsonant }

// Query is what somebody looks for, as Term has it.
type Query struct {
	// Texts are the whole query and, where it has several, its words.
	Texts []string
	// Initials tells that only first consonants were typed.
	Initials bool
}

// Ask reads what was typed. Its Texts are empty where nothing in it can be found.
func Ask(typed string) Query {
	whole := Keys(typed)
	if whole == "" {
		return Query{}
	}
	if onlyConsonants(typed) {
		return Query{Texts: []string{whole}, Initials: true}
	}
	q := Query{Texts: []string{whole}}
	words := words(typed)
	if len(words) < 2 {
		return q
	}
	for _, word := range words {
		q.Texts = append(q.Texts, Keys(word))
	}
	return q
}

func onlyConsonants(typed string) bool {
	for _, r := range norm.NFC.String(typed) {
		if !isConsonant(r) && !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// Term is one thing that an item can be found by.
type Term struct {
	// Text is the keys, or the initials, of a name, or of a name's last words, without spaces.
	Text string
	// Initials tells which of the two it is; Whole tells a name from its last words.
	Initials, Whole bool
}

// Terms are what the item is found by, each once.
func (i Item) Terms() []Term {
	names := []string{i.Name.KO, i.Name.EN}
	names = append(names, i.Synonyms.KO...)
	names = append(names, i.Synonyms.EN...)
	var terms []Term
	at := map[Term]int{} // by text and kind
	add := func(text string, initials, whole bool) {
		key := Term{Text: text, Initials: initials}
		place, known := at[key]
		switch {
		case text == "":
		case known:
			terms[place].Whole = terms[place].Whole || whole
		default:
			at[key] = len(terms)
			terms = append(terms, Term{text, initials, whole})
		}
	}
	for _, name := range names {
		for _, phrase := range phrases(name) {
			words := words(phrase.text)
			for n := range words {
				rest, whole := strings.Join(words[n:], ""), n == 0 && phrase.whole
				add(Keys(rest), false, whole)
				add(Initials(rest), true, whole)
			}
		}
	}
	return terms
}

type phrase struct {
	text  string
	whole bool
}

// phrases splits "컴퓨터·노트북(모니터)" into its names. What stands in parentheses explains a name
// and is none itself.
func phrases(name string) []phrase {
	var all []phrase
	outside, inside, _ := strings.Cut(name, "(")
	for _, text := range strings.FieldsFunc(outside, isSeparator) {
		all = append(all, phrase{text, true})
	}
	for _, text := range strings.FieldsFunc(inside, isSeparator) {
		all = append(all, phrase{text, false})
	}
	return all
}

func isSeparator(r rune) bool { return strings.ContainsRune("·,/()", r) }

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
