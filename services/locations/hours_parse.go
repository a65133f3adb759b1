package locations

// parseHours reads the hours of a week from the texts that public data has: 평일 09:00~18:00, 24시간,
// 월~금 9시~18시 (점심시간 12:00~13:00), 토·일 휴무, Mo-Fr 09:00-18:00. What it does not understand whole
// it does not guess: no span says that the hours are not known. Holidays are passed over.
func parseHours(text string) []Span {
	words, ok := hourWords(text)
	if !ok {
		return nil
	}
	var r hourReader
	for _, word := range words {
		if !r.read(word) {
			return nil
		}
	}
	return r.finish()
}

// hourRange is hours on the days that stood before them, or on none.
type hourRange struct {
	days          weekdays
	opens, closes int
}

// hourReader puts words together. Days hold for what follows them, until other days do.
type hourReader struct {
	open, breaks []hourRange
	days         weekdays
	closed       weekdays
	holiday      bool // days are those of holidays, perhaps among others
	collecting   bool // the last word was days
	inBreak      bool // the next hours are a break
	justBroke    bool // the last word was the hours of a break
	closedAhead  bool // the next days are closed
}

// read returns false where a word makes no sense.
func (r *hourReader) read(w hourWord) bool {
	justBroke := r.justBroke
	r.justBroke = false
	switch w.kind {
	case wordDays, wordHoliday:
		r.collect(w)
	case wordWithin:
		if r.days != noDays {
			return false
		}
		r.holiday, r.collecting = false, false
	case wordBreak:
		r.inBreak = true
	case wordClosed:
		return r.close(justBroke)
	case wordAlways:
		return r.hours(hourRange{closes: day})
	case wordHours:
		return r.hours(hourRange{opens: w.opens, closes: w.closes})
	case wordGap:
	}
	return true
}

func (r *hourReader) collect(w hourWord) {
	if !r.collecting {
		r.days, r.holiday, r.collecting = noDays, false, true
	}
	r.days |= w.days
	r.holiday = r.holiday || w.kind == wordHoliday
}

func (r *hourReader) hours(h hourRange) bool {
	if r.closedAhead && !r.endClosed() {
		return false
	}
	onlyHolidays := r.holiday && r.days == noDays
	h.days = r.days
	r.collecting = false
	switch {
	case r.inBreak:
		r.breaks = append(r.breaks, h)
		r.inBreak, r.justBroke = false, true
	case !onlyHolidays:
		r.open = append(r.open, h)
	}
	return true
}

// close takes 휴무 after its days, before them, or as the end of a break.
func (r *hourReader) close(justBroke bool) bool {
	switch {
	case justBroke:
	case r.collecting:
		r.closed |= r.days
		r.days, r.holiday, r.collecting = noDays, false, false
	case r.closedAhead:
		return false
	default:
		r.closedAhead = true
	}
	return true
}

// endClosed takes the days that followed 휴무.
func (r *hourReader) endClosed() bool {
	r.closedAhead = false
	if !r.collecting {
		return false
	}
	return r.close(false)
}

func (r *hourReader) finish() []Span {
	if r.inBreak || r.closedAhead && !r.endClosed() {
		return nil
	}
	if r.collecting && !r.trailing() {
		return nil
	}
	rest, ok := r.restOfWeek()
	if !ok {
		return nil
	}
	var m minutes
	for _, h := range r.open {
		m.set(h.on(rest)&^r.closed, h.opens, h.closes, true)
	}
	for _, h := range r.breaks {
		m.set(h.on(allDays)&^r.closed, h.opens, h.closes, false)
	}
	return m.spans()
}

// trailing takes days that stand after their hours: 09:00-18:00 (월-금).
func (r *hourReader) trailing() bool {
	if r.days == noDays {
		return false
	}
	for i := range r.open {
		if r.open[i].days != noDays {
			return false
		}
		r.open[i].days = r.days
	}
	return true
}

// restOfWeek are the days of hours that name none: those that no others name. Where only some of the
// weekend is named, whether the rest of it is open is anybody's guess.
func (r *hourReader) restOfWeek() (weekdays, bool) {
	named, unnamed := noDays, false
	for _, h := range r.open {
		named |= h.days
		unnamed = unnamed || h.days == noDays
	}
	if unnamed && named != noDays && (named|r.closed)&weekend != weekend {
		return noDays, false
	}
	return allDays &^ named, true
}

func (h hourRange) on(fallback weekdays) weekdays {
	if h.days == noDays {
		return fallback
	}
	return h.days
}
