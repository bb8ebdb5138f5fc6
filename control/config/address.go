package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

func parsePrefix(text string) (netip.Prefix, *problem) {
	if !strings.Contains(text, "/") {
		addr, p := parseAddr(text)
		if p == nil && addr.Zone() != "" {
			p = problemf("", "%s has a zone", quote(text))
		}
		if p != nil {
			return netip.Prefix{}, p
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, problemf(prefixHint(text), "%s is not a prefix", quote(text))
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, problemf(mappedHint(prefix),
			"%s is IPv4 in the form of IPv6", quote(text))
	case prefix != prefix.Masked():
		return netip.Prefix{}, problemf("write "+prefix.Masked().String(),
			"%s has bits set behind its length", quote(text))
	}
	return prefix, nil
}

func mappedHint(p netip.Prefix) string {
	if p.Bits() < 96 {
		return ""
	}
	return "write " + netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked().String()
}

// prefixHint guesses the prefix that was meant: octets left out, or a netmask for the length.
func prefixHint(text string) string {
	addr, length, _ := strings.Cut(text, "/")
	if mask := net.ParseIP(length).To4(); mask != nil {
		if ones, bits := net.IPMask(mask).Size(); bits != 0 {
			length = strconv.Itoa(ones)
		}
	}
	if missing := 3 - strings.Count(addr, "."); !strings.Contains(addr, ":") && missing > 0 {
		addr = strings.TrimSuffix(addr, ".") + strings.Repeat(".0", missing)
	}
	prefix, err := netip.ParsePrefix(addr + "/" + length)
	if err != nil {
		return ""
	}
	return "write " + prefix.Masked().String()
}

func parseAddr(text string) (netip.Addr, *problem) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil && strings.Contains(text, " "):
		return netip.Addr{}, problemf("put a comma between entries", "%s is not an IP address",
			quote(text))
	case err != nil:
		return netip.Addr{}, problemf("", "%s is not an IP address", quote(text))
	case addr.Is4In6():
		return netip.Addr{}, problemf("write "+addr.Unmap().String(),
			"%s is IPv4 in the form of IPv6", quote(text))
	}
	return addr, nil
}

// checkAddr holds an address to the form that its field's tag names: ipv4, ipv6, or any address
// of a host, which alone may have a zone.
func checkAddr(addr netip.Addr, form string) *problem {
	switch {
	case form == "ipv4" && !addr.Is4():
		return problemf("", "%s is not an IPv4 address", addr)
	case form == "ipv6" && !addr.Is6():
		return problemf("", "%s is not an IPv6 address", addr)
	case form != "host" && addr.Zone() != "":
		return problemf("", "%s has a zone", addr)
	case addr.IsUnspecified() || addr.IsMulticast():
		return problemf("", "%s is not the address of a host", addr)
	}
	return nil
}

// checkText holds text to the form that its field's tag names.
func checkText(text, form string) *problem {
	switch form {
	case "path", "socket":
		return checkPath(text, form)
	case "listen":
		return checkListen(text)
	case "interface":
		return checkInterface(text)
	case "name":
		return checkName(text)
	}
	panic("BUG: no such form of text: " + form)
}

// maxSocketPath is what every system's sockaddr_un holds beside the final NUL.
const maxSocketPath = 103

func checkPath(text, form string) *problem {
	switch {
	case text == "":
		return problemf("", "the path is empty")
	case strings.ContainsFunc(text, unicode.IsControl):
		return problemf("", "%s holds a control character", quote(text))
	case !strings.HasPrefix(text, "/"):
		return problemf("write it from the root: /…", "%s is not an absolute path", quote(text))
	case form == "socket" && len(text) > maxSocketPath:
		return problemf("", "the path has %d bytes: a unix socket's has at most %d", len(text),
			maxSocketPath)
	}
	return nil
}

func checkListen(text string) *problem {
	host, port, err := net.SplitHostPort(text)
	n, tooLarge := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil && allDigits(text):
		return problemf(fmt.Sprintf("write %q", ":"+text), "%s is not address:port", quote(text))
	case err != nil:
		return problemf("", "%s is not address:port", quote(text))
	case !allDigits(port) || tooLarge != nil || n == 0:
		return problemf("", "%s is not a port from 1 to 65535", quote(port))
	case host == "":
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		hint := ""
		if host == "localhost" {
			hint = fmt.Sprintf("write %q", "127.0.0.1:"+port)
		}
		return problemf(hint, "%s is not an IP address", quote(host))
	}
	return nil
}

// checkInterface holds text to what Linux takes as the name of an interface (IFNAMSIZ).
func checkInterface(text string) *problem {
	switch {
	case text == "" || text == "." || text == ".." || len(text) > 15,
		strings.ContainsAny(text, "/:"), strings.ContainsFunc(text, notGraphic):
		return problemf("", "%s is not the name of an interface", quote(text))
	}
	return nil
}

func notGraphic(c rune) bool { return !unicode.IsGraphic(c) || unicode.IsSpace(c) }

// maxName bounds a hostgroup's name, which labels metrics.
const maxName = 64

func checkName(text string) *problem {
	odd := strings.ContainsFunc(text, func(c rune) bool {
		return !strings.ContainsRune("_-.", c) && !isAlphanumeric(c)
	})
	if text == "" || len(text) > maxName || odd {
		return problemf("", "%s is not a name: 1 to %d letters, digits, _, - or .", quote(text),
			maxName)
	}
	return nil
}
