package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"weir/control/api"
	"weir/control/bgp"
	"weir/control/config"
)

// speaker is the BGP speaker as the announcer sees it.
type speaker struct{ *bgp.Supervisor }

// Stands implements announce.Speaker.
func (s speaker) Stands(p netip.Prefix) bool { return s.State().Standing(p) > 0 }

// newSpeaker starts the speaker of c; nil where there are no peers. It connects to nobody before it
// has heard what is wanted.
func newSpeaker(c *config.Config, clock func() int64, log *slog.Logger) (*speaker, error) {
	if len(c.BGP.Peers) == 0 {
		return nil, nil
	}
	settings := bgp.Config{
		AS: c.BGP.Local.AS, RouterID: c.BGP.Local.RouterID, Networks: c.Networks,
		KillFile: killPath(c), Clock: clock, Log: log,
	}
	for i := range c.BGP.Peers {
		p := &c.BGP.Peers[i]
		password, err := readPassword(p.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("bgp.peers[%d].password_file: %w", i, err)
		}
		settings.Peers = append(settings.Peers, bgp.Peer{
			Address: p.Address, AS: p.AS, Password: password, Passive: p.Passive,
			Multihop: p.Multihop, TTLSecurity: p.TTLSecurity, GracefulRestart: p.GracefulRestart,
		})
	}
	s, err := bgp.Start(settings)
	if err != nil {
		return nil, err
	}
	return &speaker{s}, nil
}

// maxPassword is how long a TCP MD5 key may be (Linux's TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

// readPassword returns a peer's key: the file's first line. "" stands for no file.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("%s: everybody may read it; try: chmod o= %s", path, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	switch line = strings.TrimRight(line, "\r"); {
	case line == "":
		return "", fmt.Errorf("%s: its first line is empty", path)
	case len(line) > maxPassword:
		return "", fmt.Errorf("%s: its first line is longer than %d bytes", path, maxPassword)
	}
	return line, nil
}

// status says how the speaker and its sessions fare.
func (s *speaker) status(out *api.Mitigation) {
	st := s.State()
	out.Speaker = &api.Speaker{
		Alive: st.Child.Alive, PID: st.Child.PID, Restarts: st.Child.Restarts,
		Error: st.Child.Error,
	}
	for i := range st.Peers {
		p := &st.Peers[i]
		out.Peers = append(out.Peers, api.Peer{
			Address: p.Address.String(), AS: p.AS, State: p.State, Since: p.Since.UTC(),
			Routes: len(p.Out), Flaps: p.Flaps, Error: p.Error,
		})
	}
}
