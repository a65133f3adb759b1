package locations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/korean"

	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

func load(t *testing.T, s *store, file string, opts Options) Report {
	t.Helper()
	report, err := Import(t.Context(), s.pool, strings.NewReader(file), CSV, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func newTestStore(t *testing.T) *store {
	t.Helper()
	return &store{pool: testdb.New(t, "locations").Pool("locations")}
}

func allPoints(t *testing.T, s *store) []Point {
	t.Helper()
	points, err := s.search(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

const goodRows = `관리번호,수거함명,소재지도로명주소,위도,경도,수거품목,운영시간
A-1,"첫째 수거함, 정문",서울특별시 중구 세종대로 110,37.5663,126.9779,폐건전지;형광등,24시간
A-2,둘째 수거함,서울특별시 용산구 한강대로 405,37.5547,126.9707,의류,
`

func TestImportTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	first := load(t, s, goodRows, Options{Source: "test"})
	if first.Rows != 2 || first.Inserted != 2 || first.Refused != 0 || first.Encoding != "utf-8" {
		t.Fatalf("first import: %+v", first)
	}
	before := allPoints(t, s)
	again := load(t, s, goodRows, Options{Source: "test"})
	if again.Unchanged != 2 || again.Inserted+again.Updated != 0 {
		t.Errorf("second import: %+v", again)
	}
	if after := allPoints(t, s); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the points changed:\n%v\n%v", before, after)
	}
	moved := strings.Replace(goodRows, "37.5547", "37.5550", 1)
	if update := load(t, s, moved, Options{Source: "test"}); update.Updated != 1 || update.Unchanged != 1 {
		t.Errorf("import of a moved point: %+v", update)
	}
	if other := load(t, s, goodRows, Options{Source: "other"}); other.Inserted != 2 {
		t.Errorf("import from another source: %+v", other)
	}
	points := allPoints(t, s)
	i := slices.IndexFunc(points, func(p Point) bool { return p.Name == "첫째 수거함, 정문" })
	if i < 0 || !slices.Equal(points[i].Accepts, []wasteclass.Class{wasteclass.Battery, wasteclass.Lamp}) ||
		points[i].OpeningHours != "24시간" || points[i].Lat != 37.5663 {
		t.Errorf("points: %+v", points)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	report := load(t, s, goodRows, Options{Source: "test", DryRun: true})
	if report.Inserted != 2 || !report.DryRun {
		t.Errorf("dry run: %+v", report)
	}
	if points := allPoints(t, s); len(points) != 0 {
		t.Errorf("a dry run wrote %d points", len(points))
	}
}

func TestImportReadsCP949(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	// 뷁 is in CP949 and not in EUC-KR proper.
	file, err := korean.EUCKR.NewEncoder().String(strings.Replace(goodRows, "둘째", "뷁째", 1))
	if err != nil {
		t.Fatal(err)
	}
	report := load(t, s, file, Options{Source: "test"})
	if report.Encoding != "cp949" || report.Inserted != 2 {
		t.Fatalf("import: %+v", report)
	}
	if points, err := s.search(t.Context(), "뷁째 수거함", 1); err != nil || len(points) != 1 {
		t.Errorf("found %v, %v", points, err)
	}
}

func TestImportKnowsHeaderVariants(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"byte order mark":   "\ufeff수거함명,위도,경도\n상자,37.5,127.0\n",
		"spaces, brackets":  " 시설명 , 위도(WGS84) ,경도 (도),비고\n상자,37.5,127.0,x\n",
		"English":           "Name,Latitude,Longitude,Address\n상자,37.5,127.0,somewhere\n",
		"address alone":     "소재지지번주소,WGS84 위도,WGS84 경도\n상자,37.5,127.0\n",
		"road or lot":       "소재지도로명주소,소재지지번주소,위도,경도\n,상자,37.5,127.0\n",
		"title above":       "OO구 수거함 현황,,\n기준일: 2025-01-01,,\n시설명,위도,경도\n상자,37.5,127.0\n",
		"square brackets":   "시설명,위도[WGS84],경도[WGS84]\n상자,37.5,127.0\n",
		"x and y":           "설치위치,X좌표,Y좌표\n상자,127.0,37.5\n",
		"exchanged":         "수거함명,위도,경도\n상자,127.0,37.5\n",
		"carriage returns":  "수거함명,위도,경도\r\n상자,37.5,127.0\r\n\r\n",
		"quoted with break": "수거함명,위도,경도\n\"상자\",\"37.5\",\"127.0\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := openRows(strings.NewReader(file), CSV,
				Options{Source: "test", Accepts: []wasteclass.Class{"paper"}})
			if err != nil {
				t.Fatal(err)
			}
			p, ok, err := rows.next()
			if err != nil || !ok || p.Name != "상자" || p.Lat != 37.5 || p.Lng != 127 {
				t.Fatalf("next = %+v, %t, %v; report %+v", p, ok, err, rows.report)
			}
			if _, ok, err := rows.next(); ok || err != nil {
				t.Errorf("a second row: %t, %v", ok, err)
			}
			if !strings.HasPrefix(p.SourceID, "sha256:") {
				t.Errorf("source id %q", p.SourceID)
			}
		})
	}
}

func TestImportRefusesRowsWithReasons(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	file := "관리번호,수거함명,도로명주소,위도,경도,품목\n" + strings.Join([]string{
		"1,좋음,주소,37.5,127.0,의류",    // 2
		"2,,,37.5,127.0,의류",        // 3
		"3,없음,주소,,127.0,의류",        // 4
		"4,글자,주소,북위,127.0,의류",      // 5
		"5,글자,주소,37.5,동경,의류",       // 6
		"6,외국,주소,48.85,2.35,의류",    // 7
		"7,영,주소,0,0,의류",            // 8
		"8,수,주소,NaN,127.0,의류",      // 9
		"9,품목,주소,37.5,127.0,우주선",   // 10
		"10,빈 품목,주소,37.5,127.0,",   // 11
		"1,같은 번호,주소,37.5,127.0,의류", // 12
		"11,짧음", // 13
		"12,\"따옴표\" 뒤,주소,37.5,127.0,의류",                        // 14
		"13," + strings.Repeat("가", 201) + ",주소,37.5,127.0,의류", // 15
		"14,깨진 \x01 글자,주소,37.5,127.0,의류",                       // 16
		"", // 17
		"15,끝,주소,37.5,127.0,의류·건전지·우주선", // 18
		"16,격자,주소,552345.1,198765.4,의류", // 19
	}, "\n") + "\n"
	report := load(t, s, file, Options{Source: "test"})
	want := map[int]string{
		3: "neither a name", 4: "no coordinates", 5: "latitude", 6: "longitude", 7: "not in Korea",
		8: "not in Korea", 9: "not in Korea", 10: "우주선", 11: "what it takes", 12: "line 2",
		13: "no coordinates", 14: "CSV", 15: "longer", 16: "broken letter",
		19: "plane grid",
	}
	if report.Inserted != 2 || report.Rows != 17 || report.Refused != len(want) {
		t.Errorf("report %+v", report)
	}
	got := map[int]string{}
	for _, refusal := range report.Refusals {
		got[refusal.Line] = refusal.Reason
	}
	for line, reason := range want {
		if !strings.Contains(got[line], reason) {
			t.Errorf("line %d was refused for %q, want %q", line, got[line], reason)
		}
	}
}

func TestImportRefusesFiles(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for _, tc := range []struct {
		name, file, format string
		opts               Options
		want               string
	}{
		{"empty", "", "csv", Options{Source: "x"}, "header"},
		{"no coordinates", "수거함명,주소\n가,나\n", "csv", Options{Source: "x"}, "위도"},
		{"no name", "위도,경도\n37,127\n", "csv", Options{Source: "x"}, "수거함명"},
		{"UTF-16", "\xff\xfeA\x00", "csv", Options{Source: "x"}, "UTF-16"},
		{"blank source", goodRows, "csv", Options{Source: " "}, "source"},
		{"broken source", goodRows, "csv", Options{Source: "\x01"}, "source"},
		{"no collection", `{"type":"Feature"}`, "geojson", Options{Source: "x"}, "FeatureCollection"},
		{"list", `[]`, "geojson", Options{Source: "x"}, "FeatureCollection"},
		{"nothing", ``, "geojson", Options{Source: "x"}, "FeatureCollection"},
		{"no JSON", goodRows, "geojson", Options{Source: "x"}, "reading the file"},
		{"features are no list", `{"features":{}}`, "geojson", Options{Source: "x"}, "FeatureCollection"},
		{"cut off", geoHead + geoGood + ",", "geojson", Options{Source: "x"}, "reading the file"},
		{"cut off behind", geoHead + geoGood, "geojson", Options{Source: "x"}, "reading the file"},
		{"no source", goodRows, "csv", Options{}, "source"},
		{"format", goodRows, "xlsx", Options{Source: "x"}, "xlsx"},
		{"class", goodRows, "csv", Options{Source: "x", Accepts: []wasteclass.Class{"gold"}}, "gold"},
	} {
		_, err := Import(t.Context(), s.pool, strings.NewReader(tc.file), Format(tc.format), tc.opts)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error about %q", tc.name, err, tc.want)
		}
	}
}

// manyRows is a file of n good rows.
func manyRows(n int) string {
	var text strings.Builder
	text.WriteString("관리번호,수거함명,도로명주소,위도,경도,품목\n")
	for i := range n {
		fmt.Fprintf(&text, "B-%d,상자,주소,37.5,127.0,의류\n", i)
	}
	return text.String()
}

func TestBrokenFileWritesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	gone := errors.New("the disk is gone")
	file := io.MultiReader(strings.NewReader(manyRows(3*batchSize)), iotest.ErrReader(gone))
	if _, err := Import(t.Context(), s.pool, file, CSV, Options{Source: "x"}); !errors.Is(err, gone) {
		t.Errorf("Import = %v, want %v", err, gone)
	}
	if points := allPoints(t, s); len(points) != 0 {
		t.Errorf("%d points of a broken file were written", len(points))
	}
}

func TestInterruptedImportWritesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Import(ctx, s.pool, strings.NewReader(manyRows(3*batchSize)), CSV, Options{
		Source: "x", Progress: func(Progress) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Import = %v, want it canceled", err)
	}
	if points := allPoints(t, s); len(points) != 0 {
		t.Errorf("%d points of an interrupted import were written", len(points))
	}
	if report := load(t, s, manyRows(10), Options{Source: "x"}); report.Inserted != 10 {
		t.Errorf("the next import: %+v", report)
	}
}

func TestImportTellsItsProgress(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for _, n := range []int{batchSize, batchSize + 1} { // the first ends with a batch
		file := manyRows(n)
		var told []Progress
		report := load(t, s, file, Options{
			Source: fmt.Sprint(n), Progress: func(p Progress) { told = append(told, p) },
		})
		if report.Inserted != n {
			t.Errorf("report of %d rows: %+v", n, report)
		}
		if len(told) != 2 || told[0].Rows != batchSize || told[1] != (Progress{Bytes: int64(len(file)), Rows: n}) {
			t.Errorf("progress of %d rows: %+v", n, told)
		}
	}
}

func TestDryRunCountsWhatAnImportWouldDo(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	load(t, s, goodRows, Options{Source: "test"})
	file := strings.Replace(goodRows, "37.5547", "37.5550", 1) + "A-3,셋째,주소,37.5,127.0,의류,\n"
	dry := load(t, s, file, Options{Source: "test", DryRun: true})
	done := load(t, s, file, Options{Source: "test"})
	dry.DryRun = false
	if fmt.Sprint(dry) != fmt.Sprint(done) || dry.Inserted != 1 || dry.Updated != 1 || dry.Unchanged != 1 {
		t.Errorf("dry run %+v, import %+v", dry, done)
	}
}

func TestUnclosedQuoteIsTold(t *testing.T) {
	t.Parallel()
	file := "수거함명,위도,경도\n좋음,37.5,127\n\"나쁨,37.5,127\n가려짐,37.5,127\n가려짐,37.5,127\n"
	report := load(t, newTestStore(t), file, Options{Source: "x", Accepts: []wasteclass.Class{"paper"}})
	if report.Inserted != 1 || report.Refused != 1 || report.Refusals[0].Line != 3 ||
		!strings.Contains(report.Refusals[0].Reason, "nothing was read up to line") {
		t.Errorf("report %+v", report)
	}
}

func TestImportReadsHoursOfSeveralColumns(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	report := load(t, s, "관리번호,시설명,위도,경도,종류,평일운영시작시각,평일운영종료시각,토요일운영시작시각,토요일운영종료시각\n"+
		"1,가,37.5,127.0,의류,09:00,18:00,09:00,13:00\n2,나,37.5,127.0,의류,09:00,18:00,00:00,00:00\n"+
		"3,다,37.5,127.0,의류,,,,\n", Options{Source: "x"})
	if report.Inserted != 3 || report.NoHours != 1 {
		t.Errorf("report %+v", report)
	}
	for _, p := range allPoints(t, s) {
		want := map[string]string{"1": "0-4 09:00-18:00, 5-5 09:00-13:00", "2": "0-4 09:00-18:00", "3": ""}[p.SourceID]
		if got := shown(p.Hours); got != want {
			t.Errorf("hours of %s: %s, want %s", p.SourceID, got, want)
		}
	}
}

const (
	geoHead = `{"type":"FeatureCollection","name":{"a":[1]},"features":[` + "\n"
	geoGood = `{"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[126.9779,37.5663,30]},` +
		`"properties":{"수거함명":"첫째","품목":["폐건전지","형광등"],"운영시간":"24시간","extra":null,"n":1}}`
)

func TestImportReadsGeoJSON(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	place := func(coordinates, properties string) string {
		return `{"type":"Feature","geometry":{"type":"Point","coordinates":` + coordinates + `},"properties":` +
			properties + `}`
	}
	file := "\ufeff" + geoHead + strings.Join([]string{
		geoGood, // 2
		place(`[37.5,127]`, `{"관리번호":"b","name":"둘째","accepts":"glass"}`),
		`{"type":"Feature","geometry":null,"properties":{"name":"셋째","accepts":"glass"}}`, // 4
		`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[]}}`,
		place(`["x"]`, `{"name":"다섯째"}`), // 6
		place(`[127,37.5]`, `null`),
		"\n" + `"text"`, // 9
		place(`[127,37.5]`, `{"id":"7","name":"또","accepts":"glass"}`),
	}, ",\n") + "\n]}\n"
	for _, want := range []string{"2 inserted, 0 unchanged", "0 inserted, 2 unchanged"} {
		report, err := Import(t.Context(), s.pool, strings.NewReader(file), GeoJSON, Options{Source: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d inserted, %d unchanged", report.Inserted, report.Unchanged); got != want ||
			report.Rows != 8 || report.Swapped != 1 {
			t.Errorf("report %+v, want %s", report, want)
		}
		reasons := []string{
			"line 4, row 3: has no coordinates", "line 5, row 4: is a Polygon",
			"line 6, row 5: has coordinates that are no", "line 7, row 6: has neither a name",
			"line 9, row 7: is no GeoJSON feature", "line 10, row 8: is the same point as line 2",
		}
		for i, r := range report.Refusals {
			if got := fmt.Sprintf("line %d, row %d: %s", r.Line, r.Row, r.Reason); !strings.HasPrefix(got, reasons[i]) {
				t.Errorf("refusal %s, want %s", got, reasons[i])
			}
		}
		if len(report.Refusals) != len(reasons) {
			t.Errorf("refusals %+v", report.Refusals)
		}
	}
	points := allPoints(t, s)
	i := slices.IndexFunc(points, func(p Point) bool { return p.SourceID == "7" })
	if i < 0 || points[i].Name != "첫째" || points[i].Lng != 126.9779 ||
		shown(points[i].Hours) != "0-6 00:00-24:00" ||
		!slices.Equal(points[i].Accepts, []wasteclass.Class{wasteclass.Battery, wasteclass.Lamp}) {
		t.Errorf("points %+v", points)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	file := "수거함명,위도,경도\n" + strings.Repeat("가,,\n", maxRefusals+5)
	report := load(t, newTestStore(t), file, Options{Source: "x"})
	if report.Refused != maxRefusals+5 || len(report.Refusals) != maxRefusals {
		t.Errorf("%d refused, %d described", report.Refused, len(report.Refusals))
	}
}

func TestClassesIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"종이팩, 종이":               "[paper paper_pack]",
		"투명페트병/플라스틱":            "[clear_pet plastic]",
		"폐건전지+폐형광등":             "[battery lamp]",
		"paper,non_combustible": "[paper non_combustible]",
		"의류 의류":                 "[clothing]",
		"보물":                    "[]",
	} {
		if got := fmt.Sprint(classesIn(text)); got != want {
			t.Errorf("classesIn(%q) = %s, want %s", text, got, want)
		}
	}
}
