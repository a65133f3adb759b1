package locations

import (
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
		"exchanged":         "수거함명,위도,경도\n상자,127.0,37.5\n",
		"carriage returns":  "수거함명,위도,경도\r\n상자,37.5,127.0\r\n\r\n",
		"quoted with break": "수거함명,위도,경도\n\"상자\",\"37.5\",\"127.0\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := openCSV(strings.NewReader(file), Options{Source: "test", Accepts: []wasteclass.Class{"paper"}})
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
	}, "\n") + "\n"
	report := load(t, s, file, Options{Source: "test"})
	want := map[int]string{
		3: "neither a name", 4: "no coordinates", 5: "latitude", 6: "longitude", 7: "not in Korea",
		8: "not in Korea", 9: "not in Korea", 10: "우주선", 11: "what it takes", 12: "line 2",
		13: "no coordinates", 14: "CSV", 15: "longer", 16: "broken letter",
	}
	if report.Inserted != 2 || report.Rows != 16 || report.Refused != len(want) {
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

func TestBrokenFileWritesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	gone := errors.New("the disk is gone")
	filler := strings.Repeat("B-%d,상자,주소,37.5,127.0,의류,\n", 1)
	var text strings.Builder
	text.WriteString(goodRows)
	for i := range 30_000 {
		fmt.Fprintf(&text, filler, i)
	}
	file := io.MultiReader(strings.NewReader(text.String()), iotest.ErrReader(gone))
	if _, err := Import(t.Context(), s.pool, file, CSV, Options{Source: "x"}); !errors.Is(err, gone) {
		t.Errorf("Import = %v, want %v", err, gone)
	}
	if points := allPoints(t, s); len(points) != 0 {
		t.Errorf("%d points of a broken file were written", len(points))
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
