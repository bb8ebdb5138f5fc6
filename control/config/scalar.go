package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/control/ban"
)

// setScalar gives v the value that n stands for, within what the tag allows.
func setScalar(v reflect.Value, n *node, tag reflect.StructTag) *problem {
	text := n.text
	truth := text == "true" || text == "false"
	if word, ok := words(tag)[text]; ok && (!n.quoted || !truth) {
		return setText(v, word)
	}
	kind := shape(v)
	switch {
	case n.quoted && (kind == "true or false" || kind == "a whole number"):
		return problemf("remove the quotes", "text where %s is wanted", kind)
	case !n.quoted && truth && kind == "text" && tag.Get("enum") == "":
		return problemf(`write "`+text+`" if it is a name`, "%s where text is wanted", text)
	}
	if p := setText(v, text); p != nil {
		if least, most, ok := strings.Cut(tag.Get("range"), ","); ok && p.overflow {
			return outOfRange(text, least, most)
		}
		return p
	}
	if v.IsZero() && wordFor("0", tag) != "" {
		return nil
	}
	return checkRange(v, text, tag)
}

// words returns what the words stand for that a field takes beside its values.
func words(tag reflect.StructTag) map[string]string {
	values := map[string]string{}
	for pair := range strings.SplitSeq(tag.Get("words"), ",") {
		if word, value, ok := strings.Cut(pair, "="); ok {
			values[word] = value
		}
	}
	return values
}

// wordFor returns the word that stands for value, or "".
func wordFor(value string, tag reflect.StructTag) string {
	for word, v := range words(tag) {
		if v == value {
			return word
		}
	}
	return ""
}

// setText gives v the value that text stands for.
func setText(v reflect.Value, text string) (p *problem) {
	switch v := v.Addr().Interface().(type) {
	case *bool:
		*v, p = parseBool(text)
	case *time.Duration:
		*v, p = parseDuration(text)
	case *Rate:
		*v, p = parseRate(text)
	case *Size:
		*v, p = parseSize(text)
	case *ban.Community:
		*v, p = parseCommunity(text)
	case *netip.Prefix:
		*v, p = parsePrefix(text)
	case *netip.Addr:
		*v, p = parseAddr(text)
	default:
		return setBasic(reflect.ValueOf(v).Elem(), text)
	}
	return p
}

func setBasic(v reflect.Value, text string) *problem {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
		return nil
	case strings.HasPrefix(text, "-") && allDigits(text[1:]):
		return problemf("", "%s is negative", quote(text))
	case !allDigits(text):
		return problemf(wholeHint(text), "%s is not a whole number", quote(text))
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if v.CanInt() && !v.OverflowInt(int64(n)) && err == nil {
		v.SetInt(int64(n))
		return nil
	}
	if v.CanUint() && !v.OverflowUint(n) && err == nil {
		v.SetUint(n)
		return nil
	}
	return &problem{message: quote(text) + " is out of range", overflow: true}
}

// wholeHint guesses the whole number that was meant by one with separators or a unit.
func wholeHint(text string) string {
	text = strings.NewReplacer("_", "", ",", "", " ", "", "K", "k").Replace(text)
	if n, p := parseRate(text); p == nil {
		return "write " + strconv.FormatUint(uint64(n), 10)
	}
	return ""
}

func parseBool(text string) (bool, *problem) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	hint := ""
	switch strings.ToLower(text) {
	case "true", "yes", "on", "y", "1", "enable", "enabled":
		hint = "write true"
	case "false", "no", "off", "n", "0", "disable", "disabled":
		hint = "write false"
	}
	return false, problemf(hint, "%s is not true or false", quote(text))
}

// checkRange holds v, which text stands for, to what the tag allows.
func checkRange(v reflect.Value, text string, tag reflect.StructTag) *problem {
	if enum := tag.Get("enum"); enum != "" {
		choices := strings.Split(enum, ",")
		if slices.Contains(choices, text) {
			return nil
		}
		return problemf(didYouMean(nearest(strings.ToLower(text), choices)),
			"%s is not one of %s", quote(text), strings.Join(choices, ", "))
	}
	if form := tag.Get("form"); form != "" {
		if addr, ok := v.Interface().(netip.Addr); ok {
			return checkAddr(addr, form)
		}
		return checkText(text, form)
	}
	least, most, ok := strings.Cut(tag.Get("range"), ",")
	if !ok {
		return nil
	}
	lo, hi := reflect.New(v.Type()).Elem(), reflect.New(v.Type()).Elem()
	if p := setText(lo, least); p != nil {
		panic("BUG: the least of a range: " + p.message)
	}
	if p := setText(hi, most); p != nil {
		panic("BUG: the greatest of a range: " + p.message)
	}
	if magnitude(v) < magnitude(lo) || magnitude(v) > magnitude(hi) {
		return outOfRange(text, least, most)
	}
	return nil
}

func outOfRange(text, least, most string) *problem {
	return problemf("", "%s is out of range: %s to %s", quote(text), least, most)
}

// magnitude returns the number that v, which is not negative, holds.
func magnitude(v reflect.Value) uint64 {
	if v.CanInt() {
		return uint64(v.Int())
	}
	return v.Uint()
}

// scalarText returns v as YAML and as JSON.
func scalarText(v reflect.Value, tag reflect.StructTag) (text, asJSON string) {
	switch word := wordFor("0", tag); {
	case word == "" || !v.IsZero():
	case word == "false":
		return word, word
	default:
		return word, quoteJSON(word)
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		text = durationText(x)
		return text, quoteJSON(text)
	case Rate:
		return x.String(), strconv.FormatUint(uint64(x), 10)
	case Size:
		return x.String(), strconv.FormatUint(uint64(x), 10)
	case fmt.Stringer: // prefixes, addresses, communities
		text = x.String()
		return quoteYAML(text), quoteJSON(text)
	}
	if v.Kind() == reflect.String {
		return quoteYAML(v.String()), quoteJSON(v.String())
	}
	text = fmt.Sprint(v.Interface())
	return text, text
}

// quoteYAML returns text as YAML, in quotes unless every YAML reader takes it for text without.
func quoteYAML(text string) string {
	unsafe := strings.ContainsFunc(text, func(c rune) bool {
		return !strings.ContainsRune("_./-", c) && !isAlphanumeric(c)
	})
	if unsafe || text == "" || strings.HasPrefix(text, "-") || isNumber(text) || isWord(text) {
		return quoteJSON(text)
	}
	return text
}

func isAlphanumeric(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	_, errInt := strconv.ParseInt(text, 0, 64)
	return err == nil || errInt == nil
}

// isWord reports whether some version of YAML gives text a meaning of its own.
func isWord(text string) bool {
	reserved := []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"}
	return slices.Contains(reserved, strings.ToLower(text))
}

// quoteJSON returns text as a JSON string, which is a YAML string too.
func quoteJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("BUG: marshal a string: " + err.Error())
	}
	return string(b)
}
