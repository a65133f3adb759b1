package locations

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

type column int

const (
	columnID column = iota
	columnName
	columnAddress
	columnLat
	columnLng
	columnAccepts
	columnHours
	columnWeekdayOpens
	columnWeekdayCloses
	columnSaturdayOpens
	columnSaturdayCloses
)

// headers are the names that public data gives a column, best first: a row whose first one is
// empty is read from the next. A serial number (연번) is no id: the next edition numbers anew.
var headers = map[column][]string{
	columnID: {
		"관리번호", "수거함번호", "수거함관리번호", "시설관리번호", "시설번호", "고유번호", "일련번호", "mng_no", "source_id", "id",
	},
	columnName: {
		"수거함명", "수거함명칭", "시설명", "시설명칭", "설치장소명", "설치장소", "장소명", "설치위치", "수거함위치", "수거장소",
		"상세위치", "위치", "상호명", "명칭", "name",
	},
	columnAddress: {
		"소재지도로명주소", "도로명주소", "설치장소도로명주소", "도로명", "소재지지번주소", "지번주소", "소재지주소",
		"설치주소", "수거장소주소", "소재지", "주소", "상세주소", "지번", "address",
	},
	columnLat:            {"위도", "wgs84위도", "위도wgs84", "y좌표", "좌표y", "latitude", "lat", "y"},
	columnLng:            {"경도", "wgs84경도", "경도wgs84", "x좌표", "좌표x", "longitude", "lng", "lon", "x"},
	columnAccepts:        {"수거품목", "배출품목", "수거물품", "수거대상", "수거함종류", "수거종류", "품목", "종류", "accepts"},
	columnHours:          {"운영시간", "이용시간", "이용가능시간", "개방시간", "배출시간", "opening_hours"},
	columnWeekdayOpens:   {"평일운영시작시각", "평일개방시작시각", "평일시작시간"},
	columnWeekdayCloses:  {"평일운영종료시각", "평일개방종료시각", "평일종료시간"},
	columnSaturdayOpens:  {"토요일운영시작시각", "토요일개방시작시각", "토요일시작시간"},
	columnSaturdayCloses: {"토요일운영종료시각", "토요일개방종료시각", "토요일종료시간"},
}

// hoursText is what a row says about its hours, in one column or in one per beginning and end.
func hoursText(r row) string {
	if text := r.text(columnHours); text != "" {
		return text
	}
	var parts []string
	for _, days := range []struct {
		name          string
		opens, closes column
	}{
		{"평일", columnWeekdayOpens, columnWeekdayCloses},
		{"토요일", columnSaturdayOpens, columnSaturdayCloses},
	} {
		opens, closes := r.text(days.opens), r.text(days.closes)
		if opens != "" && closes != "" && opens != closes { // layouts fill days without hours with 00:00
			parts = append(parts, fmt.Sprintf("%s %s~%s", days.name, opens, closes))
		}
	}
	return strings.Join(parts, ", ")
}

// columnIndex is where a file has each column.
type columnIndex map[column][]int

func findColumns(header []string) (columnIndex, error) {
	places := map[string]int{}
	for i, name := range header {
		if name = headerName(name); name != "" {
			if _, taken := places[name]; !taken {
				places[name] = i
			}
		}
	}
	found := columnIndex{}
	for c, names := range headers {
		for _, name := range names {
			if i, ok := places[name]; ok {
				found[c] = append(found[c], i)
			}
		}
	}
	var missing []string
	if found[columnLat] == nil {
		missing = append(missing, "위도 (latitude)")
	}
	if found[columnLng] == nil {
		missing = append(missing, "경도 (longitude)")
	}
	if found[columnName] == nil && found[columnAddress] == nil {
		missing = append(missing, "수거함명 (name) or 소재지도로명주소 (address)")
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("reading the header of the file: no column %s among %q",
			strings.Join(missing, ", "), header)
	}
	return found, nil
}

// headerName drops what public data sprinkles over its headers: spaces, brackets and cases.
func headerName(raw string) string {
	raw, _, _ = strings.Cut(strings.ReplaceAll(raw, "[", "("), "(")
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' {
			return unicode.ToLower(r)
		}
		return -1
	}, raw)
}

// classWord is a part of a word that names a class. The longer word of two that fit stands first.
type classWord struct {
	word  string
	class wasteclass.Class
}

var classWords = []classWord{
	{"투명페트", wasteclass.ClearPET},
	{"페트병", wasteclass.ClearPET},
	{"종이팩", wasteclass.PaperPack},
	{"우유팩", wasteclass.PaperPack},
	{"종이", wasteclass.Paper},
	{"폐지", wasteclass.Paper},
	{"플라스틱", wasteclass.Plastic},
	{"비닐", wasteclass.Vinyl},
	{"스티로폼", wasteclass.EPS},
	{"스치로폼", wasteclass.EPS},
	{"유리", wasteclass.Glass},
	{"공병", wasteclass.Glass},
	{"고철", wasteclass.Metal},
	{"금속", wasteclass.Metal},
	{"캔", wasteclass.Metal},
	{"의류", wasteclass.Clothing},
	{"헌옷", wasteclass.Clothing},
	{"전지", wasteclass.Battery},
	{"배터리", wasteclass.Battery},
	{"형광등", wasteclass.Lamp},
	{"조명", wasteclass.Lamp},
	{"가전", wasteclass.Appliance},
	{"휴대폰", wasteclass.Appliance},
	{"불연", wasteclass.NonCombustible},
	{"음식물", wasteclass.Food},
	{"폐식용유", wasteclass.Food},
	{"대형폐기물", wasteclass.Bulky},
	{"공사", wasteclass.Construction},
	{"종량제", wasteclass.General},
	{"일반쓰레기", wasteclass.General},
}

// classesIn finds the classes that a list of words names, in Korean or by their own names, each
// once and in the guideline's order.
func classesIn(text string) []wasteclass.Class {
	named := map[wasteclass.Class]bool{}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_'
	}) {
		if class := wasteclass.Class(word); class.Valid() {
			named[class] = true
			continue
		}
		i := slices.IndexFunc(classWords, func(c classWord) bool { return strings.Contains(word, c.word) })
		if i >= 0 {
			named[classWords[i].class] = true
		}
	}
	var classes []wasteclass.Class
	for _, class := range wasteclass.All() {
		if named[class] {
			classes = append(classes, class)
		}
	}
	return classes
}
