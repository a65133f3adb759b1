package apitest

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/testmain"
)

// Covering runs the tests m and then asks whether they saw every documented answer; it wraps what
// TestMain runs: os.Exit(testdb.Main(apitest.Covering(m, contract))). It does not ask after a
// failure, nor when flags chose some tests only. unprovoked names answers that no test can bring
// about, as "GET /things/{id} 503" or, for all operations, "503"; one that was seen is an error.
func Covering(m testmain.Tests, c *Contract, unprovoked ...string) testmain.Tests {
	return covering{m, c, unprovoked}
}

type covering struct {
	tests      testmain.Tests
	contract   *Contract
	unprovoked []string
}

// Run returns the exit code.
func (c covering) Run() int {
	code := c.tests.Run()
	if code != 0 || partial() {
		return code
	}
	if found := c.contract.uncovered(c.unprovoked); len(found) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: documented answers and tests differ:\n  %s\n",
			strings.Join(found, "\n  "))
		return 1
	}
	return 0
}

// partial reports whether flags left tests out.
func partial() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return true
		}
	}
	return testing.Short()
}

// Covered fails t unless the tests so far saw every documented answer. It serves packages whose
// exchanges happen in one test; others use Covering.
func (c *Contract) Covered(t testing.TB, unprovoked ...string) {
	t.Helper()
	for _, line := range c.uncovered(unprovoked) {
		t.Error(line)
	}
}

func (c *Contract) uncovered(unprovoked []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	needed := map[string]bool{}
	for _, a := range c.answers() {
		names := []string{a.String(), a.Status}
		waived := slices.ContainsFunc(unprovoked, func(w string) bool {
			return slices.Contains(names, w)
		})
		switch {
		case !c.seen[a] && !waived:
			found = append(found, a.String()+": documented, but no test sees it")
		case !c.seen[a]:
			needed[names[0]], needed[names[1]] = true, true
		}
	}
	for _, waiver := range unprovoked {
		if !needed[waiver] {
			found = append(found, waiver+": called unprovoked, but no such answer is missing")
		}
	}
	return found
}

// Routes fails t when a registered route is not in the document or the other way round. The health
// routes and openapi.json need no mention; ignore names others as "GET /path".
func (c *Contract) Routes(t testing.TB, routes gin.RoutesInfo, ignore ...string) {
	t.Helper()
	for _, line := range c.compareRoutes(routes, ignore) {
		t.Error(line)
	}
}

func (c *Contract) compareRoutes(routes gin.RoutesInfo, ignore []string) []string {
	documented := map[string]string{} // shape to what is shown
	for _, op := range c.operations() {
		route := op.method + " " + c.basePath + op.path
		documented[shape(route)] = route
	}
	var found []string
	registered := map[string]bool{}
	for _, info := range routes {
		route := info.Method + " " + info.Path
		if isFrame(info.Path) || slices.Contains(ignore, route) {
			continue
		}
		registered[shape(route)] = true
		if _, ok := documented[shape(route)]; !ok {
			found = append(found, route+": registered, but not documented")
		}
	}
	for key, route := range documented {
		if !registered[key] {
			found = append(found, route+": documented, but not registered")
		}
	}
	slices.Sort(found)
	return found
}

var parameter = regexp.MustCompile(`[:*][^/]+|\{[^/}]+\}`)

// shape drops the names of path parameters, which gin and the document may choose differently.
func shape(route string) string { return parameter.ReplaceAllString(route, "{}") }
