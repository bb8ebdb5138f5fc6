package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/control/config"
	"weir/control/tune"
)

// tuning is the command line of weir tune.
type tuning struct {
	dry, apply, undo    *bool
	force               *bool
	queues              *int
	cores, hash         *string
	flowPorts           *[]uint
	skip                *[]string
	config, journalPath *string
	asJSON              bool
}

func newTune() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tune --dry-run|--apply|--undo IFACE...",
		Short: "make this host ready for line rate: queues, interrupts, rings, offloads, memory",
		Long: `Plans what to change for the interfaces of a mirror, and why.

  --dry-run  prints the commands that an operator would type, and the part of weir.yaml that fits;
             it changes nothing and needs no privilege
  --apply    does it, step by step, and reads each value back; what was found is written down first
  --undo     puts back what was found; without interfaces, all of it, but what --skip names

Interfaces with the default route are refused without --force. Of flow exports, name the interface
with the address that exporters send to, too: it becomes no mirror. Settings last until a reboot.`,
	}
	f := cmd.Flags()
	t := &tuning{
		dry:    f.Bool("dry-run", false, "print what to change, and change nothing"),
		apply:  f.Bool("apply", false, "change it"),
		undo:   f.Bool("undo", false, "put back what was found"),
		force:  f.Bool("force", false, "also interfaces that carry the default route"),
		queues: f.Int("queues", 0, "receive queues of each mirror (0: by speed and cores)"),
		cores: f.String("cores-per-queue", "auto",
			"two (interrupt and weir apart), one (weir polls), or auto"),
		hash: f.String("hash", "fragments",
			"how packets are spread: fragments (UDP by addresses), symmetric (ports too), or keep"),
		flowPorts: f.UintSlice("flow-ports", nil,
			"UDP ports of flow exports (default: those of the configuration)"),
		skip: f.StringSlice("skip", nil,
			fmt.Sprintf("settings to leave alone, of %v", tune.Kinds())),
		config: f.StringP("config", "c", "",
			"configuration file, for ports and places (default "+config.DefaultPath+")"),
		journalPath: f.String("journal", "", "what to undo (default: "+tune.JournalName+
			" in the state directory)"),
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if t.asJSON, err = output(); err != nil {
			return err
		}
		return t.run(cmd, args)
	}
	return cmd
}

func (t *tuning) run(cmd *cobra.Command, names []string) error {
	verbs := 0
	for _, verb := range []*bool{t.dry, t.apply, t.undo} {
		if *verb {
			verbs++
		}
	}
	if verbs != 1 {
		return usageError("name one of --dry-run, --apply and --undo")
	}
	if len(names) == 0 && !*t.undo {
		return usageError("name the interfaces")
	}
	slices.Sort(names)
	if err := eachOnce(names); err != nil {
		return err
	}
	wish, err := t.wish()
	if err != nil {
		return err
	}
	c, err := t.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	host, err := tune.OpenHost()
	if err != nil {
		return err
	}
	defer host.Close()
	out := newTunePrinter(cmd.OutOrStdout(), cmd.ErrOrStderr(), t.asJSON)
	if *t.undo {
		return t.putBack(host, c, names, wish.Skip, out)
	}
	if !cmd.Flags().Changed("flow-ports") {
		wish.FlowPorts = configuredPorts(c)
	}
	return t.tune(host, c, names, wish, out)
}

// eachOnce refuses interfaces that are named twice: one of them was to be another.
func eachOnce(names []string) error {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return usageError("interface %s is named twice", name)
		}
	}
	return nil
}

// wish reads the flags.
func (t *tuning) wish() (*tune.Wish, error) {
	w := &tune.Wish{Force: *t.force, Queues: *t.queues}
	if w.Queues < 0 {
		return nil, usageError("--queues is %d", w.Queues)
	}
	switch *t.cores {
	case "auto":
	case "one", "two":
		w.Cores = tune.Cores(*t.cores)
	default:
		return nil, usageError("--cores-per-queue is %q, not auto, one or two", *t.cores)
	}
	switch *t.hash {
	case "fragments":
	case "symmetric", "keep":
		w.Hash = tune.Hash(*t.hash)
	default:
		return nil, usageError("--hash is %q, not fragments, symmetric or keep", *t.hash)
	}
	for _, port := range *t.flowPorts {
		if port < 1 || port > 65535 {
			return nil, usageError("--flow-ports has %d", port)
		}
		w.FlowPorts = append(w.FlowPorts, uint16(port))
	}
	for _, kind := range *t.skip {
		if !slices.Contains(tune.Kinds(), tune.Kind(kind)) {
			return nil, usageError("--skip has %q, not of %v", kind, tune.Kinds())
		}
		w.Skip = append(w.Skip, tune.Kind(kind))
	}
	return w, nil
}

// load reads the configuration; the standard one, where none is named and there is none. One that
// was not named, and from which not even the journal's place is needed, may be unreadable.
func (t *tuning) load(talk io.Writer) (*config.Config, error) {
	c, err := (&brakes{config: t.config}).load()
	if err != nil && *t.config == "" && (*t.dry || *t.journalPath != "") {
		fmt.Fprintf(talk, "weir: going on without the configuration: %v\n", err)
		c, err = nil, nil
	}
	if err != nil || c != nil {
		return c, err
	}
	standard := config.Default()
	return &standard, nil
}

// configuredPorts returns the ports that the file listens on for flow exports.
func configuredPorts(c *config.Config) (ports []uint16) {
	for i := range c.Capture.Flows {
		_, text, err := net.SplitHostPort(c.Capture.Flows[i].Listen)
		if err != nil {
			continue
		}
		if port, err := strconv.ParseUint(text, 10, 16); err == nil && port > 0 {
			ports = append(ports, uint16(port))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// journal opens the journal, which is this process's until lock is closed.
func (t *tuning) journal(c *config.Config) (j *tune.Journal, lock io.Closer, err error) {
	path := *t.journalPath
	if path == "" {
		path = filepath.Join(c.StateDir, tune.JournalName)
	}
	if lock, err = tune.LockJournal(path); err != nil {
		return nil, nil, err
	}
	if j, err = tune.OpenJournal(path); err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	return j, lock, nil
}

// tune plans, and, with --apply, does it.
func (t *tuning) tune(host *tune.Host, c *config.Config, names []string, w *tune.Wish,
	out *tunePrinter,
) error {
	facts, err := host.Facts(names)
	if err != nil {
		return err
	}
	facts.Running = answers(c.API.Socket)
	plan, err := tune.Make(facts, w)
	if errors.Is(err, tune.ErrDefaultRoute) {
		return fmt.Errorf("%w: --force tunes it all the same", err)
	}
	if err != nil {
		return err
	}
	if *t.dry {
		return out.plan(plan)
	}
	j, lock, err := t.journal(c)
	if err != nil {
		return err
	}
	defer lock.Close()
	worst := tune.Apply(plan.Steps, host, j, time.Now().UTC(), out.outcome)
	return out.end(worst, j, false)
}

// putBack undoes what was changed of the interfaces named, or, without names, all; kinds to skip
// stay as they are, and in the journal.
func (t *tuning) putBack(host *tune.Host, c *config.Config, names []string, skip []tune.Kind,
	out *tunePrinter,
) error {
	j, lock, err := t.journal(c)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unrecorded(host, j, names, out); err != nil {
		return err
	}
	worst, err := tune.Undo(host, j, func(s tune.Setting) bool {
		return (len(names) == 0 || slices.Contains(names, s.Interface)) &&
			!slices.Contains(skip, s.Kind)
	}, out.outcome)
	return errors.Join(err, out.end(worst, j, true))
}

// unrecorded tells of the interfaces named of which nothing was changed. The error is of one that
// is not there: it is misspelt, and another meant.
func unrecorded(host *tune.Host, j *tune.Journal, names []string, out *tunePrinter) error {
	for _, name := range names {
		if slices.ContainsFunc(j.Entries, func(e tune.Entry) bool { return e.Interface == name }) {
			continue
		}
		if _, err := host.Facts([]string{name}); err != nil {
			return err
		}
		fmt.Fprintf(out.talk, "weir: nothing was changed of %s (%s)\n", name, j.Path())
	}
	return nil
}

// answers reports whether a daemon listens at a socket.
func answers(socket string) bool {
	c, err := net.DialTimeout("unix", socket, 200*time.Millisecond)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
