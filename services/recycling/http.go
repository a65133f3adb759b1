package recycling

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

const (
	defaultPage = 20
	maxPage     = 100
	maxQuery    = 100
	// cacheControl lets clients keep rules for a while: they change with a release only.
	cacheControl = "public, max-age=300"
)

type api struct {
	service   *service
	retention time.Duration
	now       func() time.Time
}

func (a *api) routes(g *gin.RouterGroup) {
	g.GET("/items", httpserver.Handle(a.listItems))
	g.GET("/items/:id", httpserver.Handle(a.getItem))
	g.GET("/categories", httpserver.Handle(a.listCategories))
	g.GET("/regions", httpserver.Handle(a.listRegions))
	g.POST("/advice", httpserver.Handle(a.advise))
	g.GET("/advice/:id", httpserver.Quiet, httpserver.Handle(a.getAdvice))
}

type itemSummary struct {
	ID    string           `json:"id"`
	Class wasteclass.Class `json:"class"`
	Name  string           `json:"name"`
	Where string           `json:"where"`
}

type itemDetail struct {
	itemSummary
	ClassName string     `json:"class_name"`
	Synonyms  []string   `json:"synonyms"`
	Steps     []itemStep `json:"steps"`
	Mistakes  []string   `json:"mistakes"`
	// NotRecyclable is what keeps a thing of this kind from being recycled.
	NotRecyclable []string `json:"not_recyclable"`
	Why           string   `json:"why"`
	Sources       []string `json:"sources"`
	Region        string   `json:"region"`
}

type itemStep struct {
	ID       string `json:"id"`
	Text     string `json:"text"`
	Optional bool   `json:"optional"`
}

type itemPage struct {
	Items         []itemSummary `json:"items"`
	NextPageToken string        `json:"next_page_token"`
}

type categoryView struct {
	Class         wasteclass.Class `json:"class"`
	Name          string           `json:"name"`
	Items         int              `json:"items"`
	DefaultItemID string           `json:"default_item_id"`
}

func (a *api) listItems(c *gin.Context) error {
	var faults []problem.Field
	fault := func(name, code, detail string) {
		faults = append(faults, problem.Field{Pointer: name, Code: code, Detail: detail})
	}
	locale := readLocale(c, fault)
	f := filter{Query: strings.TrimSpace(c.Query("q")), Class: wasteclass.Class(c.Query("class"))}
	if utf8.RuneCountInString(f.Query) > maxQuery {
		fault("q", "too_long", fmt.Sprintf("must have at most %d characters", maxQuery))
	}
	if !utf8.ValidString(f.Query) || strings.ContainsRune(f.Query, 0) {
		fault("q", "not_text", "must be text in UTF-8")
	}
	if f.Class != "" && !f.Class.Valid() {
		fault("class", "unknown", "must be a class of GET /categories")
	}
	size := defaultPage
	if text := c.Query("page_size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			fault("page_size", "out_of_range", fmt.Sprintf("must be a number from 1 to %d", maxPage))
		}
		size = n
	}
	offset, err := readPageToken(c.Query("page_token"), f)
	if err != nil {
		fault("page_token", "unknown", "must be the next_page_token of the same list")
	}
	if len(faults) > 0 {
		return errInvalid.WithFields(faults...)
	}
	items, more, err := a.service.list(c, f, size, offset)
	if err != nil {
		return err
	}
	page := itemPage{Items: make([]itemSummary, 0, len(items))}
	for _, item := range items {
		page.Items = append(page.Items, summarize(item, locale))
	}
	if more {
		page.NextPageToken = pageToken(offset+len(items), f)
	}
	return answer(c, page)
}

func (a *api) getItem(c *gin.Context) error {
	var faults []problem.Field
	fault := func(name, code, detail string) {
		faults = append(faults, problem.Field{Pointer: name, Code: code, Detail: detail})
	}
	locale, region := readLocale(c, fault), c.Query("region")
	if !validRegion(region) {
		fault("region", "unknown", regionShape)
	}
	if len(faults) > 0 {
		return errInvalid.WithFields(faults...)
	}
	id := c.Param("id")
	if !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return errItemNotFound
	}
	item, region, err := a.service.item(c, id, region)
	if err != nil {
		return err
	}
	return answer(c, detail(item, region, locale))
}

func (a *api) listCategories(c *gin.Context) error {
	locale, err := onlyLocale(c)
	if err != nil {
		return err
	}
	categories, err := a.service.categories(c)
	if err != nil {
		return err
	}
	views := make([]categoryView, 0, len(categories))
	for _, known := range categories {
		views = append(views, categoryView{
			Class: known.Class, Name: known.Name.In(locale),
			Items: known.Items, DefaultItemID: known.DefaultItem,
		})
	}
	return answer(c, gin.H{"categories": views})
}

func answer(c *gin.Context, body any) error {
	c.Header("Cache-Control", cacheControl)
	c.JSON(http.StatusOK, body)
	return nil
}

func onlyLocale(c *gin.Context) (string, error) {
	var faults []problem.Field
	locale := readLocale(c, func(name, code, detail string) {
		faults = append(faults, problem.Field{Pointer: name, Code: code, Detail: detail})
	})
	if len(faults) > 0 {
		return "", errInvalid.WithFields(faults...)
	}
	return locale, nil
}

func readLocale(c *gin.Context, fault func(name, code, detail string)) string {
	locale := c.DefaultQuery("locale", "ko")
	if locale != "ko" && locale != "en" {
		fault("locale", "unknown", "must be ko or en")
	}
	return locale
}

func summarize(item rulebase.Item, locale string) itemSummary {
	return itemSummary{
		ID: item.ID, Class: item.Class, Name: item.Name.In(locale), Where: item.Where.In(locale),
	}
}

func detail(item rulebase.Item, region, locale string) itemDetail {
	d := itemDetail{
		itemSummary: summarize(item, locale), ClassName: item.ClassName.In(locale),
		Synonyms: item.Synonyms.In(locale), Why: item.Why.In(locale),
		Mistakes: texts(item.Mistakes, locale), NotRecyclable: texts(item.NotRecyclable, locale),
		Sources: texts(item.Sources, locale), Region: region,
	}
	for _, step := range item.Steps {
		d.Steps = append(d.Steps, itemStep{ID: step.ID, Text: step.In(locale), Optional: step.Optional})
	}
	return d
}

// A page token is the number of items before the page, bound to the list's filter by a checksum.
func pageToken(offset int, f filter) string {
	plain := fmt.Sprintf("%d.%08x", offset, f.checksum())
	return base64.RawURLEncoding.EncodeToString([]byte(plain))
}

func readPageToken(token string, f filter) (int, error) {
	if token == "" {
		return 0, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, err
	}
	number, sum, _ := strings.Cut(string(plain), ".")
	offset, err := strconv.Atoi(number)
	if err != nil || offset < 0 || sum != fmt.Sprintf("%08x", f.checksum()) {
		return 0, fmt.Errorf("page token %q is not of this list", plain)
	}
	return offset, nil
}

func (f filter) checksum() uint32 {
	return crc32.ChecksumIEEE([]byte(string(f.Class) + "\n" + f.Query))
}
