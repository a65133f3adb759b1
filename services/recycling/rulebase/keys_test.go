package rulebase

import (
	"reflect"
	"slices"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"페트병": "vpxmqud", "투명 페트병": "xnaudvpxmqud", "꽁초": "rhdch", "값": "rkqt", "읽": "dlfr",
		"PET Bottle": "petbottle", "LED 전구": "ledwjsrn", "페트ㅂ": "vpxmq", "페틉": "vpxmq", "의자": "dmlwk",
		"ㅍㅌㅂ": "vxq", "ㅄ": "qt", "ㅏㅣ": "kl", "왜": "dho", "힣": "glg", "가": "rk",
		norm.NFD.String("페트병"): "vpxmqud", "컵 3개": "zjq3ro", "％_\\": "", "é日": "",
	} {
		if got := Keys(word); got != want {
			t.Errorf("Keys(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestInitials(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"페트병": "vxq", "꽁초": "rc", "LED 전구": "wr", "PET": "", norm.NFD.String("병"): "q",
	} {
		if got := Initials(word); got != want {
			t.Errorf("Initials(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]Query{
		"페트병":   {Texts: []string{"vpxmqud"}},
		"ㅍㅌ ㅂ":  {Texts: []string{"vxq"}, Initials: true},
		"컵 뚜껑":  {Texts: []string{"zjqenrjd", "zjq", "enrjd"}},
		" %_ ":  {},
		"":      {},
		"페트병 ?": {Texts: []string{"vpxmqud"}},
	} {
		if got := Ask(typed); !reflect.DeepEqual(got, want) {
			t.Errorf("Ask(%q) = %+v, want %+v", typed, got, want)
		}
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	item := Item{
		Name:     Text{KO: "병·유리 컵(작은 병)", EN: "Glass cup"},
		Synonyms: Words{KO: []string{"컵"}, EN: []string{"cup"}},
	}
	terms := item.Terms()
	for _, want := range []Term{
		{Text: "qud", Whole: true},
		{Text: "q", Initials: true, Whole: true},
		{Text: "dbflzjq", Whole: true},
		{Text: "dfz", Initials: true, Whole: true},
		{Text: "wkrdmsqud"},
		{Text: "glasscup", Whole: true},
		{Text: "cup", Whole: true},
		{Text: "zjq", Whole: true}, // a synonym, not only the end of a name
	} {
		if !slices.Contains(terms, want) {
			t.Errorf("%+v is not among %+v", want, terms)
		}
	}
	if len(terms) != 10 {
		t.Errorf("%d terms, want 10: %+v", len(terms), terms)
	}
}
